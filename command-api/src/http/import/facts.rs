//! One fact of an import: the ids of all that it names, and how it is carried out. `tell` says what it appends.

mod tell;

use super::lines::{
    Done, ImportLine, ImportedAccount, ImportedAssessment, ImportedCategory, ImportedCourse, ImportedEnrollment,
    ImportedPayment, ImportedSubmission,
};
use crate::{
    domain::{
        account::{
            Person,
            identifier::{Email, Username},
        },
        account_import::row::BcryptHash,
        import::{
            ImportAccount, ImportAssessment, ImportCourse, ImportEnrollment, ImportSubmission, payment::ImportPayment,
        },
    },
    execute::{Answer, Context, Executor, IdempotencyKey, Import},
    http::{account::tidy, payment},
};
use chrono::{DateTime, Utc};
use events::{
    Aggregate,
    account::Account,
    assessment::Assessment,
    category::Category,
    course::{Course, CourseDetails},
    enrollment::Enrollment,
    ids::{
        AccountId, AssessmentId, AttemptsId, CategoryId, CourseId, EnrollmentId, PaymentId, SubmissionId, TenantId,
        of_import,
    },
    payment::Payment,
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
    // Before enrolments: a payment opens its own.
    Payment,
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
    Account { account: ImportAccount, password_hash: Option<BcryptHash> },
    Course { id: CourseId, course: ImportCourse },
    Assessment { id: AssessmentId, assessment: ImportAssessment },
    Payment(ImportPayment),
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
            Told::Account { account: new_account(account(&key), &told)?, password_hash: told.password_hash }
        } else if let Some(told) = line.course {
            let category_id = told.category.as_deref().map(category);
            let owner_id = told.owner.as_deref().map(account);
            Told::Course { id: course(&key), course: new_course(told, category_id, owner_id) }
        } else if let Some(ImportedAssessment { title, course: of, pass_percent }) = line.assessment {
            let title = title.trim().to_owned();
            let told = ImportAssessment { course_id: of.as_deref().map(course), title, pass_percent };
            Told::Assessment { id: assessment(&key), assessment: told }
        } else if let Some(ImportedPayment { learner, course: of, amount, transaction_id, enrolled_at }) = line.payment
        {
            let payment_id = id(Payment::STREAM_TYPE, &key);
            Told::Payment(ImportPayment {
                payment_id: PaymentId::new(payment_id),
                learner_id: account(&learner),
                course_id: course(&of),
                amount: amount.into(),
                transaction_id: transaction_id.unwrap_or_else(|| payment::transaction_id(payment_id.as_u64_pair().1)),
                enrolled_at,
            })
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
            Told::Account { .. } => Kind::Account,
            Told::Course { .. } => Kind::Course,
            Told::Assessment { .. } => Kind::Assessment,
            Told::Payment(_) => Kind::Payment,
            Told::Enrollment(_) => Kind::Enrollment,
            Told::Submission(_) => Kind::Submission,
        }
    }

    /// What it is about: the stream that it is written to, or of those the one that others may be about too.
    pub(super) fn stream(&self) -> Uuid {
        match &self.told {
            Told::Category { id, .. } => id.as_uuid(),
            Told::Account { account, .. } => account.person.account_id.as_uuid(),
            Told::Course { id, .. } => id.as_uuid(),
            Told::Assessment { id, .. } => id.as_uuid(),
            Told::Payment(told) => EnrollmentId::of(told.learner_id, told.course_id).as_uuid(),
            Told::Enrollment(told) => EnrollmentId::of(told.learner_id, told.course_id).as_uuid(),
            Told::Submission(told) => AttemptsId::of(told.learner_id, told.assessment_id).as_uuid(),
        }
    }

    /// Who was in the course, of an enrolment or a payment.
    fn learner(&self) -> Option<Uuid> {
        match &self.told {
            Told::Payment(told) => Some(told.learner_id.as_uuid()),
            Told::Enrollment(told) => Some(told.learner_id.as_uuid()),
            _ => None,
        }
    }

    /// The payment's own stream.
    fn payment(&self) -> Option<Uuid> {
        if let Told::Payment(told) = &self.told { Some(told.payment_id.as_uuid()) } else { None }
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
    let (portal_access, has_password) = (told.portal_access.unwrap_or(true), told.password_hash.is_some());
    Ok(ImportAccount { person, role: told.role, portal_access, has_password })
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
            Kind::Payment | Kind::Enrollment => {
                let payments: Vec<Uuid> = facts.iter().filter_map(|(_, fact)| fact.payment()).collect();
                executor.preload::<Payment>(tenant, &payments).await?;
                executor.preload::<Enrollment>(tenant, &written).await?;
                let learners: Vec<Uuid> = facts.iter().filter_map(|(_, fact)| fact.learner()).collect();
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
            Told::Account { .. } => "import.account",
            Told::Course { .. } => "import.course",
            Told::Assessment { .. } => "import.assessment",
            Told::Payment(_) => "import.payment",
            Told::Enrollment(_) => "import.enrollment",
            Told::Submission(_) => "import.submission",
        };
        let executor = self.executor;
        executor.execute(context, command, |work| Box::pin(tell::tell(work, context, told))).await
    }
}
