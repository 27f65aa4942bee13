//! The figures that the views show beside those that the files hold.
//!
//! Figures over time are compared day by day on the days of the data; what dashboards show today has to be that and what
//! happened on all other days, so that a system which held something before is checked as well as an empty one.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::Value;

use super::{
    super::{ImportError, Importer},
    dataset::Dataset,
    history::PASS_PERCENT,
};
use crate::{local::console, seed::client::Session};

/// As many days as one series may have.
const SERIES_DAYS: u64 = 3_660;

/// How often something happened, by day.
type Series = BTreeMap<NaiveDate, i64>;

/// The series that the files hold.
#[derive(Debug, Default)]
struct Expected {
    accounts: Series,
    enrollments: Series,
    completions: Series,
    withdrawals: Series,
    submissions: Series,
    passed: Series,
    /// Who entered each course and did not leave, by its title.
    students: BTreeMap<String, i64>,
}

impl Expected {
    fn of(dataset: &Dataset) -> Self {
        let mut expected = Self::default();
        let titles: BTreeMap<_, _> =
            dataset.courses.iter().map(|(key, course)| (key.clone(), course.title())).collect();
        expected.students = titles.values().map(|title| (title.clone(), 0)).collect();
        for student in &dataset.students {
            count(&mut expected.accounts, Some(student.since));
        }
        for registration in &dataset.registrations {
            count(&mut expected.enrollments, Some(registration.enrolled_at));
            count(&mut expected.completions, registration.completed_at);
            count(&mut expected.withdrawals, registration.withdrawn_at);
            let students = expected.students.entry(titles[&registration.course].clone()).or_default();
            *students += i64::from(registration.withdrawn_at.is_none());
        }
        for submission in &dataset.submissions {
            count(&mut expected.submissions, Some(submission.submitted_at));
            let is_passed = submission.score.is_some_and(|score| score >= PASS_PERCENT);
            count(&mut expected.passed, is_passed.then_some(submission.submitted_at));
        }
        expected
    }

    /// The first and the last day on which something happened.
    fn days(&self) -> Option<(NaiveDate, NaiveDate)> {
        let all = [&self.accounts, &self.enrollments, &self.completions, &self.withdrawals, &self.submissions];
        let days = || all.into_iter().flat_map(|series| series.keys().copied());
        Some((days().min()?, days().max()?))
    }
}

fn count(series: &mut Series, at: Option<DateTime<Utc>>) {
    if let Some(at) = at {
        *series.entry(at.date_naive()).or_default() += 1;
    }
}

fn total(series: &Series) -> i64 {
    series.values().sum()
}

/// One figure: what the files hold, and what the views show.
struct Figure {
    name: String,
    expected: i64,
    shown: i64,
}

/// The table of the comparison.
#[derive(Default)]
struct Table(Vec<Figure>);

impl Table {
    fn add(&mut self, name: impl Into<String>, expected: i64, shown: i64) {
        self.0.push(Figure { name: name.into(), expected, shown });
    }

    fn print(&self) {
        console::plain(&format!("{:44} {:>10} {:>10}", "", "files", "views"));
        for Figure { name, expected, shown } in &self.0 {
            let verdict = if expected == shown { "" } else { "  differs" };
            console::plain(&format!("{name:44} {expected:>10} {shown:>10}{verdict}"));
        }
    }

    fn is_same(&self) -> bool {
        self.0.iter().all(|figure| figure.expected == figure.shown)
    }
}

/// Compares, prints both, and says whether all is the same.
pub async fn compare(importer: &Importer, dataset: &Dataset) -> Result<bool, ImportError> {
    let expected = Expected::of(dataset);
    let Some((from, to)) = expected.days() else {
        console::plain("the files hold nothing to compare");
        return Ok(true);
    };
    let queries = Queries { importer, session: importer.log_in().await? };
    let mut table = Table::default();

    let mut elsewhere = BTreeMap::new();
    for (route, member, metric, series) in [
        ("accounts-by-role", "/by_role/learner", "learners", &expected.accounts),
        ("enrollments", "/enrollments", "enrolments", &expected.enrollments),
        ("enrollments", "/completions", "completions", &expected.completions),
        ("enrollments", "/withdrawals", "withdrawals", &expected.withdrawals),
        ("submissions", "/submissions", "submissions", &expected.submissions),
        ("submissions", "/passed", "submissions that passed", &expected.passed),
    ] {
        let shown = queries.series(route, member, from, to).await?;
        table.add(format!("{metric}, {from} to {to}"), total(series), total(&shown));
        table.add(format!("  days with {metric}"), days(series), days(&shown));
        table.add("  days that differ", 0, differing(series, &shown));
        elsewhere.insert(metric, queries.elsewhere(route, member, from, to).await?);
    }

    let dashboard = queries.get("/v1/dashboards/admin", &[]).await?;
    for (pointer, metric, series) in [
        ("/accounts/by_role/learner/total", "learners", &expected.accounts),
        ("/enrollments", "enrolments", &expected.enrollments),
        ("/completions", "completions", &expected.completions),
        ("/withdrawals", "withdrawals", &expected.withdrawals),
        ("/submissions", "submissions", &expected.submissions),
        ("/passed_submissions", "submissions that passed", &expected.passed),
    ] {
        let shown = dashboard.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
        table.add(format!("dashboard: {metric}"), total(series) + elsewhere[metric], shown);
    }

    let shown = queries.students().await?;
    let found = expected.students.keys().filter(|title| shown.contains_key(*title)).count();
    let students = |title: &String| shown.get(title).copied().unwrap_or_default();
    let differing = expected.students.iter().filter(|(title, expected)| students(title) != **expected).count();
    table.add("courses", number(expected.students.len()), number(found));
    table.add("  students in them", expected.students.values().sum(), expected.students.keys().map(students).sum());
    table.add("  courses that differ", 0, number(differing));

    table.print();
    Ok(table.is_same())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// On how many days something happened.
fn days(series: &Series) -> i64 {
    number(series.values().filter(|count| **count != 0).count())
}

/// On how many days two series differ.
fn differing(expected: &Series, shown: &Series) -> i64 {
    let of = |series: &Series, day| series.get(day).copied().unwrap_or_default();
    let days: std::collections::BTreeSet<_> = expected.keys().chain(shown.keys()).collect();
    number(days.into_iter().filter(|day| of(expected, day) != of(shown, day)).count())
}

struct Queries<'a> {
    importer: &'a Importer,
    session: Session,
}

impl Queries<'_> {
    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, ImportError> {
        Ok(self.importer.client.query(&self.session, path, parameters).await?)
    }

    /// A member of each point of a series by day.
    async fn series(&self, route: &str, member: &str, from: NaiveDate, to: NaiveDate) -> Result<Series, ImportError> {
        let mut series = Series::new();
        let mut start = from;
        while start <= to {
            let end = to.min(start + Days::new(SERIES_DAYS - 1));
            let (first, last) = (start.to_string(), end.to_string());
            let path = format!("/v1/analytics/{route}");
            let answer = self.get(&path, &[("from", &first), ("to", &last), ("bucket", "day")]).await?;
            for point in answer["series"].as_array().into_iter().flatten() {
                let day = point["start"].as_str().and_then(|day| day.parse().ok());
                let count = point.pointer(member).and_then(Value::as_i64);
                series.extend(day.zip(count).filter(|(_, count)| *count != 0));
            }
            start = end + Days::new(1);
        }
        Ok(series)
    }

    /// How often it happened on all other days up to today.
    async fn elsewhere(&self, route: &str, member: &str, from: NaiveDate, to: NaiveDate) -> Result<i64, ImportError> {
        let before = self.series(route, member, from - Days::new(SERIES_DAYS), from - Days::new(1)).await?;
        let after = self.series(route, member, to + Days::new(1), Utc::now().date_naive()).await?;
        Ok(total(&before) + total(&after))
    }

    /// The students of every course, by its title.
    async fn students(&self) -> Result<BTreeMap<String, i64>, ImportError> {
        let mut students = BTreeMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut parameters = vec![("limit", "200")];
            parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = self.get("/v1/courses", &parameters).await?;
            for course in page["items"].as_array().into_iter().flatten() {
                if let (Some(title), Some(count)) = (course["title"].as_str(), course["total_students"].as_i64()) {
                    students.insert(title.to_owned(), count);
                }
            }
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(students);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u64) -> NaiveDate {
        NaiveDate::default() + Days::new(number)
    }

    #[test]
    fn series_are_compared_day_by_day_and_a_day_of_nothing_is_no_day() {
        let expected = Series::from([(day(1), 2), (day(2), 1)]);
        assert_eq!(differing(&expected, &Series::from([(day(2), 1), (day(1), 2), (day(3), 0)])), 0);
        assert_eq!(differing(&expected, &Series::from([(day(1), 1), (day(2), 2)])), 2, "of the same total");
        assert_eq!(differing(&expected, &Series::from([(day(1), 2), (day(3), 1)])), 2);
    }

    #[test]
    fn one_figure_that_differs_makes_all_differ() {
        let mut table = Table::default();
        table.add("a", 1, 1);
        assert!(table.is_same());
        table.add("b", 1, 2);
        assert!(!table.is_same());
    }
}
