//! What an instructor's courses add up to, in one document: `/v1/dashboards/instructor`.

use super::Money;
use crate::{
    caller::SignedIn,
    period::{Period, today},
    snapshot::{Answer, Reader, Snapshot},
};
use chrono::NaiveDate;
use events::Role;
use ops::problem::Problem;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use uuid::Uuid;

const READS: &[&str] = &["instructor_dashboard", "course_catalogue"];

/// As many courses as the document names; what it adds up is over all of them.
const MAX_COURSES: i64 = 200;

/// What an instructor's courses add up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstructorDashboard {
    /// Over all courses, since their beginning.
    pub totals: InstructorTotals,
    /// The newest 200 courses, newest first.
    pub courses: Vec<CourseRow>,
    /// The last thirty days in UTC, each in its turn, over all courses.
    pub series: Vec<CourseDay>,
}

/// What all courses of an instructor add up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstructorTotals {
    /// How many courses there are.
    pub courses: i64,
    /// How many of them are published.
    pub published_courses: i64,
    /// How often learners entered one.
    pub students: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// The share of those who entered that completed, 0 to 100.
    pub completion_percent: i64,
    /// The mean of the courses' ratings, 1 to 5.
    pub avg_rating: Option<f64>,
    /// What was paid, by currency.
    pub revenue: Vec<Money>,
}

/// What one course adds up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CourseRow {
    /// The course.
    pub course_id: Uuid,
    /// Title.
    pub title: String,
    /// `draft`, `published` or `archived`.
    #[schema(example = "published")]
    pub status: String,
    /// How many lessons it has.
    pub lesson_count: i32,
    /// How many learners entered it.
    pub students: i64,
    /// How many completed it.
    pub completions: i64,
    /// The share of those who entered that completed, 0 to 100.
    pub completion_percent: i64,
    /// The mean of its ratings, 1 to 5.
    pub avg_rating: Option<f64>,
    /// What was paid for it, by currency.
    pub revenue: Vec<Money>,
}

/// What one day added.
#[derive(Debug, Serialize, ToSchema)]
pub struct CourseDay {
    /// The day.
    pub start: NaiveDate,
    /// How often learners entered a course.
    pub enrollments: i64,
    /// How often learners completed one.
    pub completions: i64,
    /// What was paid, in each currency of these days.
    pub revenue: Vec<Money>,
}

fn percent(part: i64, whole: i64) -> i64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or_default()
}

async fn totals(snapshot: &mut Snapshot, owner_id: Uuid) -> Result<InstructorTotals, sqlx::Error> {
    let counts = sqlx::query!(
        r#"select count(*) as "courses!",
                  count(*) filter (where c.status = 'published') as "published_courses!",
                  coalesce(sum(s.enrollments), 0)::bigint as "students!",
                  coalesce(sum(s.completions), 0)::bigint as "completions!",
                  avg(k.avg_rating) as avg_rating
           from read.instructor_dashboard_courses c
           left join read.course_catalogue k using (tenant_id, course_id)
           cross join lateral (
               select sum(enrollments) as enrollments, sum(completions) as completions
               from read.instructor_dashboard_students
               where tenant_id = c.tenant_id
                 and course_id = c.course_id
           ) as s
           where c.tenant_id = $1
             and c.owner_id = $2"#,
        snapshot.tenant_id(),
        owner_id,
    )
    .fetch_one(snapshot.connection())
    .await?;
    let revenue = sqlx::query_as!(
        Money,
        r#"select r.currency, sum(r.amount_minor)::bigint as "amount_minor!"
           from read.instructor_dashboard_courses c
           join read.instructor_dashboard_revenue r using (tenant_id, course_id)
           where c.tenant_id = $1
             and c.owner_id = $2
           group by r.currency
           order by r.currency"#,
        snapshot.tenant_id(),
        owner_id,
    )
    .fetch_all(snapshot.connection())
    .await?;
    Ok(InstructorTotals {
        courses: counts.courses,
        published_courses: counts.published_courses,
        students: counts.students,
        completions: counts.completions,
        completion_percent: percent(counts.completions, counts.students),
        avg_rating: counts.avg_rating,
        revenue,
    })
}

async fn courses(snapshot: &mut Snapshot, owner_id: Uuid) -> Result<Vec<CourseRow>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select c.course_id, c.title, c.status, c.lessons, k.avg_rating as "avg_rating?",
                  coalesce(s.enrollments, 0)::bigint as "students!",
                  coalesce(s.completions, 0)::bigint as "completions!"
           from read.instructor_dashboard_courses c
           left join read.course_catalogue k using (tenant_id, course_id)
           cross join lateral (
               select sum(enrollments) as enrollments, sum(completions) as completions
               from read.instructor_dashboard_students
               where tenant_id = c.tenant_id
                 and course_id = c.course_id
           ) as s
           where c.tenant_id = $1
             and c.owner_id = $2
           order by c.created_at desc, c.course_id desc
           limit $3"#,
        snapshot.tenant_id(),
        owner_id,
        MAX_COURSES,
    )
    .fetch_all(snapshot.connection())
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.course_id).collect();
    let mut revenue = revenue_of(snapshot, &ids).await?;
    let courses = rows.into_iter().map(|row| CourseRow {
        course_id: row.course_id,
        title: row.title,
        status: row.status,
        lesson_count: row.lessons,
        students: row.students,
        completions: row.completions,
        completion_percent: percent(row.completions, row.students),
        avg_rating: row.avg_rating,
        revenue: revenue.remove(&row.course_id).unwrap_or_default(),
    });
    Ok(courses.collect())
}

async fn revenue_of(snapshot: &mut Snapshot, courses: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Money>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select course_id, currency, sum(amount_minor)::bigint as "amount_minor!"
           from read.instructor_dashboard_revenue
           where tenant_id = $1
             and course_id = any($2)
           group by course_id, currency
           order by course_id, currency"#,
        snapshot.tenant_id(),
        courses,
    )
    .fetch_all(snapshot.connection())
    .await?;
    let mut revenue: BTreeMap<Uuid, Vec<Money>> = BTreeMap::new();
    for row in rows {
        let money = Money { amount_minor: row.amount_minor, currency: row.currency };
        revenue.entry(row.course_id).or_default().push(money);
    }
    Ok(revenue)
}

async fn series(snapshot: &mut Snapshot, owner_id: Uuid, period: Period) -> Result<Vec<CourseDay>, sqlx::Error> {
    let students = sqlx::query!(
        r#"select s.day, sum(s.enrollments)::bigint as "enrollments!", sum(s.completions)::bigint as "completions!"
           from read.instructor_dashboard_courses c
           join read.instructor_dashboard_students s using (tenant_id, course_id)
           where c.tenant_id = $1
             and c.owner_id = $2
             and s.day between $3 and $4
           group by s.day"#,
        snapshot.tenant_id(),
        owner_id,
        period.from,
        period.to,
    )
    .fetch_all(snapshot.connection())
    .await?;
    let revenue = sqlx::query!(
        r#"select r.day, r.currency, sum(r.amount_minor)::bigint as "amount_minor!"
           from read.instructor_dashboard_courses c
           join read.instructor_dashboard_revenue r using (tenant_id, course_id)
           where c.tenant_id = $1
             and c.owner_id = $2
             and r.day between $3 and $4
           group by r.day, r.currency"#,
        snapshot.tenant_id(),
        owner_id,
        period.from,
        period.to,
    )
    .fetch_all(snapshot.connection())
    .await?;

    let students: BTreeMap<_, _> =
        students.into_iter().map(|row| (row.day, (row.enrollments, row.completions))).collect();
    let currencies: BTreeSet<_> = revenue.iter().map(|row| row.currency.clone()).collect();
    let revenue: BTreeMap<_, _> = revenue.into_iter().map(|row| ((row.day, row.currency), row.amount_minor)).collect();
    let paid = |start: NaiveDate, currency: &String| Money {
        amount_minor: revenue.get(&(start, currency.clone())).copied().unwrap_or_default(),
        currency: currency.clone(),
    };
    let day = |start| {
        let (enrollments, completions) = students.get(&start).copied().unwrap_or_default();
        let revenue = currencies.iter().map(|currency| paid(start, currency)).collect();
        CourseDay { start, enrollments, completions, revenue }
    };
    Ok(period.starts().map(day).collect())
}

/// What the caller's courses add up to, for instructors.
#[utoipa::path(get, path = "/v1/dashboards/instructor", tag = "dashboard", security(("bearer" = [])), responses(
    (status = 200, description = "The dashboard", body = InstructorDashboard),
    (status = 403, description = "`forbidden`"),
))]
pub async fn show(caller: SignedIn, reader: Reader) -> Result<Answer, Problem> {
    caller.require(&[Role::Instructor])?;
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let dashboard = InstructorDashboard {
        totals: totals(&mut snapshot, caller.account_id).await?,
        courses: courses(&mut snapshot, caller.account_id).await?,
        series: series(&mut snapshot, caller.account_id, Period::recent(today())).await?,
    };
    snapshot.answer(axum::Json(dashboard)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert_eq!((percent(0, 0), percent(1, 3), percent(3, 3)), (0, 33, 100));
    }
}
