//! One fact of an import, carried out: which streams it needs, and what it appends.

use super::lines::{
    Done, ImportLine, ImportedAccount, ImportedAssessment, ImportedCategory, ImportedCourse, ImportedEnrollment,
    ImportedSubmission,
};
use crate::{
    domain::{
        account::{
            self, Person,
            identifier::{Email, Username},
        },
        category::{NAME_SCOPE, Refusal as CategoryRefusal, name_key},
        import::{self, History, ImportAccount, ImportAssessment, ImportCourse, ImportEnrollment, ImportSubmission},
    },
    execute::{Answer, Context, Executor, IdempotencyKey, Import, Reply, Work},
    http::account::{EMAIL_SCOPE, USERNAME_SCOPE, tidy},
};
use chrono::{DateTime, Utc};
use events::{
    Aggregate,
    account::Account,
    assessment::Assessment,
    category::Category,
    course::{Course, CourseDetails},
    enrollment::Enrollment,
    ids::{AccountId, AssessmentId, AttemptsId, CategoryId, CourseId, EnrollmentId, SubmissionId, TenantId, of_import},
    submission::Attempts,
};
use ops::problem::Problem;
use uuid::Uuid;

/// The highest score where a result does not say.
const HIGHEST_SCORE: i64 = 100;
/// The member of an answer that says whether anything was appended.
const CHANGED: &str = "changed";

/// The kinds of facts, in the order in which they need one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Category,
    Account,
    Course,
    Assessment,
    Enrollment,
    Submission,
}

/// A fact with the ids of all that it names.
pub(super) struct Fact {
    occurred_at: DateTime<Utc>,
    told: Told,
}

enum Told {
    Category { id: CategoryId, name: String, description: Option<String> },
    Account(ImportAccount),
    Course { id: CourseId, course: ImportCourse },
    Assessment { id: AssessmentId, assessment: ImportAssessment },
    Enrollment(ImportEnrollment),
    Submission(ImportSubmission),
}

/// Who imports, from where, into what.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) executor: &'a Executor,
    pub(super) context: &'a Context,
    pub(super) source: &'a str,
}

impl Fact {
    /// The fact of a line, every key in it turned into an id.
    fn try_new(tenant_id: TenantId, source: &str, line: ImportLine) -> Result<Self, Problem> {
        let id = |stream_type: &str, key: &str| of_import(tenant_id, source, stream_type, key);
        let account = |key: &str| AccountId::new(id(Account::STREAM_TYPE, key));
        let course = |key: &str| CourseId::new(id(Course::STREAM_TYPE, key));
        let assessment = |key: &str| AssessmentId::new(id(Assessment::STREAM_TYPE, key));
        let category = |key: &str| CategoryId::new(id(Category::STREAM_TYPE, key));
        let ImportLine { key, occurred_at, .. } = line;
        let told = if let Some(ImportedCategory { name, description }) = line.category {
            Told::Category { id: category(&key), name: name.trim().to_owned(), description }
        } else if let Some(told) = line.account {
            Told::Account(new_account(account(&key), &told)?)
        } else if let Some(told) = line.course {
            let category_id = told.category.as_deref().map(category);
            let owner_id = told.owner.as_deref().map(account);
            Told::Course { id: course(&key), course: new_course(told, category_id, owner_id) }
        } else if let Some(ImportedAssessment { title, course: of, pass_percent }) = line.assessment {
            let title = title.trim().to_owned();
            let told = ImportAssessment { course_id: of.as_deref().map(course), title, pass_percent };
            Told::Assessment { id: assessment(&key), assessment: told }
        } else if let Some(ImportedEnrollment { learner, course: into, completed_at, withdrawn_at }) = line.enrollment {
            let (learner_id, course_id) = (account(&learner), course(&into));
            Told::Enrollment(ImportEnrollment { learner_id, course_id, completed_at, withdrawn_at })
        } else if let Some(ImportedSubmission { learner, assessment: of, score, max_score, banked }) = line.submission {
            Told::Submission(ImportSubmission {
                submission_id: SubmissionId::new(id(Attempts::STREAM_TYPE, &key)),
                assessment_id: assessment(&of),
                learner_id: account(&learner),
                score: score.map(|score| (score, max_score.unwrap_or(HIGHEST_SCORE))),
                banked,
            })
        } else {
            // What has none of them was refused when it was read.
            return Err(Problem::invalid([]));
        };
        Ok(Self { occurred_at, told })
    }

    pub(super) const fn kind(&self) -> Kind {
        match &self.told {
            Told::Category { .. } => Kind::Category,
            Told::Account(_) => Kind::Account,
            Told::Course { .. } => Kind::Course,
            Told::Assessment { .. } => Kind::Assessment,
            Told::Enrollment(_) => Kind::Enrollment,
            Told::Submission(_) => Kind::Submission,
        }
    }

    /// The stream that it is written to.
    pub(super) fn stream(&self) -> Uuid {
        match &self.told {
            Told::Category { id, .. } => id.as_uuid(),
            Told::Account(account) => account.person.account_id.as_uuid(),
            Told::Course { id, .. } => id.as_uuid(),
            Told::Assessment { id, .. } => id.as_uuid(),
            Told::Enrollment(told) => EnrollmentId::of(told.learner_id, told.course_id).as_uuid(),
            Told::Submission(told) => AttemptsId::of(told.learner_id, told.assessment_id).as_uuid(),
        }
    }

    /// Who was in the course, of an enrolment.
    fn enrolled(&self) -> Option<Uuid> {
        if let Told::Enrollment(told) = &self.told { Some(told.learner_id.as_uuid()) } else { None }
    }
}

fn new_account(account_id: AccountId, told: &ImportedAccount) -> Result<ImportAccount, Problem> {
    let person = Person {
        account_id,
        email: Email::try_new(&told.email)?,
        username: told.username.as_deref().map(Username::try_new).transpose()?,
        first_name: tidy(&told.first_name),
        last_name: tidy(&told.last_name),
    };
    Ok(ImportAccount { person, role: told.role, portal_access: told.portal_access.unwrap_or(true) })
}

fn new_course(told: ImportedCourse, category_id: Option<CategoryId>, owner_id: Option<AccountId>) -> ImportCourse {
    let ImportedCourse { title, description, price, thumbnail_url, published_at, archived_at, .. } = told;
    let title = title.trim().to_owned();
    let details = CourseDetails { title, description, price: price.map(Into::into), category_id, thumbnail_url };
    ImportCourse { details, owner_id, published_at, archived_at }
}

impl Run<'_> {
    /// The fact of a line.
    pub(super) fn read(self, line: ImportLine) -> Result<Fact, Problem> {
        Fact::try_new(self.context.tenant_id, self.source, line)
    }

    /// Has at hand what facts of one kind need, in a query or two.
    pub(super) async fn preload(self, kind: Kind, facts: &[(usize, Fact)]) -> Result<(), Problem> {
        let (executor, tenant) = (self.executor, self.context.tenant_id);
        let written: Vec<Uuid> = facts.iter().map(|(_, fact)| fact.stream()).collect();
        match kind {
            Kind::Category => executor.preload::<Category>(tenant, &written).await,
            Kind::Account => executor.preload::<Account>(tenant, &written).await,
            Kind::Course => executor.preload::<Course>(tenant, &written).await,
            Kind::Assessment => executor.preload::<Assessment>(tenant, &written).await,
            Kind::Enrollment => {
                executor.preload::<Enrollment>(tenant, &written).await?;
                let learners: Vec<Uuid> = facts.iter().filter_map(|(_, fact)| fact.enrolled()).collect();
                executor.preload::<Account>(tenant, &learners).await
            }
            Kind::Submission => executor.preload::<Attempts>(tenant, &written).await,
        }
    }

    /// Carries out facts about one thing, one after another.
    pub(super) async fn carry_out_in_turn(self, facts: Vec<(usize, Fact)>) -> Vec<(usize, Result<Done, Problem>)> {
        let mut done = Vec::with_capacity(facts.len());
        for (place, fact) in facts {
            let answer = self.carry_out(fact, None).await.map(|answer| Done {
                id: answer.id(),
                position: answer.position(),
                is_changed: answer.member(CHANGED) == Some(&true.into()),
            });
            done.push((place, answer));
        }
        done
    }

    /// Carries out one fact.
    pub(super) async fn carry_out(self, fact: Fact, idempotency: Option<IdempotencyKey>) -> Result<Answer, Problem> {
        let import = Import { source: self.source.to_owned(), occurred_at: fact.occurred_at };
        let context = Context { import: Some(import), idempotency, if_match: None, ..self.context.clone() };
        let (context, told) = (&context, &fact.told);
        let command = match told {
            Told::Category { .. } => "import.category",
            Told::Account(_) => "import.account",
            Told::Course { .. } => "import.course",
            Told::Assessment { .. } => "import.assessment",
            Told::Enrollment(_) => "import.enrollment",
            Told::Submission(_) => "import.submission",
        };
        let executor = self.executor;
        executor.execute(context, command, |work| Box::pin(tell(work, context, told))).await
    }
}

/// Loads what a fact needs, decides, and appends.
async fn tell(work: &mut Work<'_>, context: &Context, told: &Told) -> Result<Reply, Problem> {
    match told {
        Told::Category { id, name, description } => {
            let state = work.load::<Category>(*id).await?.state;
            let events = import::category(&state, context, name.clone(), description.clone())?;
            if !events.is_empty() {
                let taken = CategoryRefusal::NameTaken { name: name.clone() };
                work.claim::<Category>(NAME_SCOPE, &name_key(name), *id, taken);
            }
            Ok(append::<Category>(work, *id, *id, now(context, events)))
        }
        Told::Account(account) => {
            let id = account.person.account_id;
            let state = work.load::<Account>(id).await?.state;
            let events = import::account(&state, context, account.clone())?;
            if !events.is_empty() {
                claim(work, &account.person);
            }
            Ok(append::<Account>(work, id, id, now(context, events)))
        }
        Told::Course { id, course } => {
            let state = work.load::<Course>(*id).await?.state;
            let owner = match course.owner_id {
                Some(owner) => Some(work.load::<Account>(owner).await?.state),
                None => None,
            };
            let category = match course.details.category_id {
                Some(category) => Some(work.load::<Category>(category).await?.state),
                None => None,
            };
            let history = import::course(&state, owner.as_deref(), category.as_deref(), context, course.clone())?;
            Ok(append::<Course>(work, *id, *id, history))
        }
        Told::Assessment { id, assessment } => {
            let state = work.load::<Assessment>(*id).await?.state;
            let course = match assessment.course_id {
                Some(course) => Some(work.load::<Course>(course).await?.state),
                None => None,
            };
            let events = import::assessment(&state, course.as_deref(), context, assessment.clone())?;
            Ok(append::<Assessment>(work, *id, *id, now(context, events)))
        }
        Told::Enrollment(enrollment) => {
            let id = EnrollmentId::of(enrollment.learner_id, enrollment.course_id);
            let state = work.load::<Enrollment>(id).await?.state;
            let learner = work.load::<Account>(enrollment.learner_id).await?.state;
            let course = work.load::<Course>(enrollment.course_id).await?.state;
            let history = import::enrollment(&state, &learner, &course, context, *enrollment)?;
            Ok(append::<Enrollment>(work, id, id, history))
        }
        Told::Submission(submission) => {
            let id = AttemptsId::of(submission.learner_id, submission.assessment_id);
            let state = work.load::<Attempts>(id).await?.state;
            let assessment = work.load::<Assessment>(submission.assessment_id).await?.state;
            let enrollment = match assessment.course_id {
                Some(course) => {
                    Some(work.load::<Enrollment>(EnrollmentId::of(submission.learner_id, course)).await?.state)
                }
                None => None,
            };
            let events = import::submission(&state, &assessment, enrollment.as_deref(), context, *submission)?;
            Ok(append::<Attempts>(work, id, submission.submission_id, now(context, events)))
        }
    }
}

/// A new person's key and names; there is no password hash.
fn claim(work: &mut Work<'_>, person: &Person) {
    let id = person.account_id;
    work.new_subject(id);
    work.claim::<Account>(EMAIL_SCOPE, person.email.as_str(), id, account::Refusal::EmailTaken);
    if let Some(username) = &person.username {
        work.claim::<Account>(USERNAME_SCOPE, username.as_str(), id, account::Refusal::UsernameTaken);
    }
}

/// Events that happened when the fact says.
fn now<E>(context: &Context, events: Vec<E>) -> History<E> {
    let at = context.import.as_ref().map_or(context.now, |import| import.occurred_at);
    events.into_iter().map(|event| (at, event)).collect()
}

fn append<A: Aggregate>(
    work: &mut Work<'_>,
    stream: A::Id,
    answered: impl Into<Uuid>,
    history: History<A::Event>,
) -> Reply {
    let is_changed = !history.is_empty();
    if is_changed {
        work.append_history::<A>(stream, history);
    }
    Reply::ok(answered).of_stream(stream).with(CHANGED, is_changed)
}
