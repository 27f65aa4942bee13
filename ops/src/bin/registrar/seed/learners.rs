//! Each learner's own way: they register, sign in, enter free courses and pay for the others, finish lessons, and submit
//! assessments. A few are on their way at once; what one has done before is left out.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use uuid::Uuid;

use super::{
    AT_ONCE, SeedError,
    academy::{self, LEARNERS, Person},
    catalogue::{Asked, Offered},
    client::{Client, Session},
    history::History,
    plan::{self, Taken},
    progress::Stage,
};

/// What there is to take, and what was taken before.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The APIs.
    pub client: &'a Client,
    /// What was done before.
    pub history: &'a History,
    /// The courses.
    pub offered: &'a [Offered],
    /// The assessments.
    pub asked: &'a [Asked],
}

/// How much learners have done, before and now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Courses that were entered.
    pub enrollments: usize,
    /// Those of them that were paid for.
    pub payments: usize,
    /// Lessons that were finished.
    pub lessons: usize,
    /// Attempts at assessments.
    pub submissions: usize,
}

impl Done {
    fn plus(self, other: Self) -> Self {
        Self {
            enrollments: self.enrollments + other.enrollments,
            payments: self.payments + other.payments,
            lessons: self.lessons + other.lessons,
            submissions: self.submissions + other.submissions,
        }
    }
}

/// Walks with every learner.
pub async fn walk(surroundings: Surroundings<'_>) -> Result<Done, SeedError> {
    let stage = Stage::begin("learners", LEARNERS.len());
    let done = stream::iter(LEARNERS.into_iter().enumerate())
        .map(|(place, person)| {
            let stage = &stage;
            async move {
                let done = Journey::new(surroundings, place, person).walk().await?;
                stage.step();
                Ok::<_, SeedError>(done)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_fold(Done::default(), async |sum, done| Ok(sum.plus(done)))
        .await?;
    let Done { enrollments, payments, lessons, submissions } = done;
    stage.end(&format!(
        "{}, {enrollments} enrolments, {payments} payments, {lessons} finished lessons, {submissions} submissions",
        LEARNERS.len()
    ));
    Ok(done)
}

/// One learner on their way.
struct Journey<'a> {
    around: Surroundings<'a>,
    place: usize,
    person: Person,
    taken: Vec<Taken<'a>>,
}

impl<'a> Journey<'a> {
    fn new(around: Surroundings<'a>, place: usize, person: Person) -> Self {
        Self { around, place, person, taken: plan::courses(place, around.offered) }
    }

    async fn walk(&self) -> Result<Done, SeedError> {
        let submissions =
            self.around.asked.iter().map(|asked| plan::attempts(self.place, asked, &self.taken) as usize).sum();
        let done = Done {
            enrollments: self.taken.len(),
            payments: self.taken.iter().filter(|taken| taken.offered.course.price_cents > 0).count(),
            lessons: self.taken.iter().map(|taken| taken.lessons).sum(),
            submissions,
        };
        if let Some(account) = self.around.history.accounts.get(&self.person.email())
            && self.is_done(*account)
        {
            return Ok(done);
        }
        let session = self.sign_in().await?;
        for taken in &self.taken {
            self.take(&session, *taken).await?;
        }
        for asked in self.around.asked {
            self.submit(&session, asked).await?;
        }
        Ok(done)
    }

    /// Whether there is nothing left to do, so that logging in can be saved.
    fn is_done(&self, account: Uuid) -> bool {
        let history = self.around.history;
        let taken = self.taken.iter().all(|taken| {
            let enrollment = history.enrollments.get(&(account, taken.offered.id));
            let finished = taken.offered.lessons.iter().take(taken.lessons);
            enrollment.is_some_and(|id| finished.clone().all(|lesson| history.completed.contains(&(*id, *lesson))))
        });
        let submitted = |asked: &Asked| history.submissions.get(&(account, asked.id)).copied().unwrap_or(0);
        taken && self.around.asked.iter().all(|asked| submitted(asked) >= self.attempts(asked))
    }

    fn attempts(&self, asked: &Asked) -> u32 {
        plan::attempts(self.place, asked, &self.taken)
    }

    async fn sign_in(&self) -> Result<Session, SeedError> {
        let (email, password) = (self.person.email(), academy::password("learner"));
        if !self.around.history.accounts.contains_key(&email) {
            let body = json!({
                "email": email,
                "password": password,
                "first_name": self.person.first_name,
                "last_name": self.person.last_name,
            });
            let (path, key) = ("/v1/auth/register", format!("register:{email}"));
            self.around.client.ensure(None, path, &key, Some(body), &["email-taken"]).await?;
        }
        self.around.client.log_in(&email, password).await?.ok_or(SeedError::Locked { email })
    }

    async fn take(&self, session: &Session, Taken { offered, lessons }: Taken<'_>) -> Result<(), SeedError> {
        let Surroundings { client, history, .. } = self.around;
        let enrollment = match history.enrollments.get(&(session.account_id, offered.id)) {
            Some(id) => Some(*id),
            None => self.enter(session, offered).await?,
        };
        // Somebody entered the course by hand while this ran: how far they come is theirs to decide.
        let Some(enrollment) = enrollment else { return Ok(()) };
        for lesson in offered.lessons.iter().take(lessons) {
            if !history.completed.contains(&(enrollment, *lesson)) {
                let path = format!("/v1/enrollments/{enrollment}/lessons/{lesson}/complete");
                client.command(Some(session), &path, &format!("complete:{enrollment}:{lesson}"), None).await?;
            }
        }
        Ok(())
    }

    /// Enrols, or pays and is enrolled by that; the answer is the enrolment's id.
    async fn enter(&self, session: &Session, offered: &Offered) -> Result<Option<Uuid>, SeedError> {
        let client = self.around.client;
        let key = format!("enter:{}:{}", session.account_id, offered.id);
        let body = json!({ "course_id": offered.id });
        if offered.course.price_cents == 0 {
            let entered = client.ensure(Some(session), "/v1/enrollments", &key, Some(body), &["already-enrolled"]);
            return Ok(entered.await?.map(|done| done.id()).transpose()?);
        }
        let paid = ["already-paid", "already-enrolled"];
        let Some(done) = client.ensure(Some(session), "/v1/payments", &key, Some(body), &paid).await? else {
            return Ok(None);
        };
        Ok(done.text("enrollment_id")?.parse().ok())
    }

    async fn submit(&self, session: &Session, asked: &Asked) -> Result<(), SeedError> {
        let submitted = self.around.history.submissions.get(&(session.account_id, asked.id)).copied().unwrap_or(0);
        for attempt in submitted..self.attempts(asked) {
            let path = format!("/v1/assessments/{}/submissions", asked.id);
            let key = format!("submit:{}:{}:{attempt}", session.account_id, asked.id);
            let body = json!({ "answers": plan::answers(self.place, attempt, asked.assessment.items) });
            self.around.client.ensure(Some(session), &path, &key, Some(body), &["attempts-exhausted"]).await?;
        }
        Ok(())
    }
}
