//! The five files, read and put together: what is taken, and the rows that are not, each with its reason.
//!
//! A row is refused that cannot be read, that says again what a row before it said, or that names what no row tells.

mod rows;

pub use rows::{Assessment, CourseKey, FinalResult, Presentation, Registration, Student, Submission};

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use indicatif::HumanCount;

use super::super::table::{self, Refused, Row, TableError};

pub const COURSES: &str = "courses.csv";
pub const ASSESSMENTS: &str = "assessments.csv";
pub const STUDENTS: &str = "studentInfo.csv";
pub const REGISTRATIONS: &str = "studentRegistration.csv";
pub const SUBMISSIONS: &str = "studentAssessment.csv";

/// As many days from the start of a presentation as can be meant.
const DAYS: std::ops::RangeInclusive<i64> = -3_660..=3_660;

/// All that is taken from the files, in their order.
#[derive(Debug, Default)]
pub struct Dataset {
    /// The courses by key, in the order of the file.
    pub courses: Vec<(CourseKey, Presentation)>,
    /// The assessments.
    pub assessments: Vec<Assessment>,
    /// The students.
    pub students: Vec<Student>,
    /// Who was in which course.
    pub registrations: Vec<Registration>,
    /// What they handed in.
    pub submissions: Vec<Submission>,
    /// The rows that are not taken.
    pub refused: Vec<Refused>,
}

impl Dataset {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, TableError> {
        let read = |file, columns| table::read(folder, file, columns);
        let courses = read(COURSES, &["code_module", "code_presentation", "module_presentation_length"])?;
        let assessments = read(ASSESSMENTS, &["code_module", "code_presentation", "id_assessment", "assessment_type"])?;
        let students = read(STUDENTS, &["code_module", "code_presentation", "id_student", "final_result"])?;
        let registrations = read(
            REGISTRATIONS,
            &["code_module", "code_presentation", "id_student", "date_registration", "date_unregistration"],
        )?;
        let submissions = read(SUBMISSIONS, &["id_assessment", "id_student", "date_submitted", "is_banked", "score"])?;

        let mut reader = Reader::default();
        reader.take(COURSES, courses, Reader::course);
        reader.take(ASSESSMENTS, assessments, Reader::assessment);
        reader.take(STUDENTS, students, Reader::final_result);
        reader.take(REGISTRATIONS, registrations, Reader::registration);
        reader.refuse_unregistered();
        reader.take(SUBMISSIONS, submissions, Reader::submission);
        Ok(reader.dataset)
    }

    /// How many rows are taken and refused.
    pub fn rows(&self) -> u64 {
        let taken = self.courses.len() + self.assessments.len() + self.registrations.len() * 2 + self.submissions.len();
        (taken + self.refused.len()) as u64
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: usize| HumanCount(count as u64);
        write!(
            f,
            "{} students, {} courses, {} registrations, {} assessments, {} submissions",
            count(self.students.len()),
            count(self.courses.len()),
            count(self.registrations.len()),
            count(self.assessments.len()),
            count(self.submissions.len()),
        )
    }
}

/// What is known while the files are read, each after those that it needs.
#[derive(Default)]
struct Reader {
    dataset: Dataset,
    course_places: HashMap<CourseKey, usize>,
    assessment_places: HashMap<u64, usize>,
    student_places: HashMap<u64, usize>,
    /// Line and result of each student in each course; taken out as their registrations are read.
    results: HashMap<(CourseKey, u64), (u64, FinalResult)>,
    registered: HashSet<(CourseKey, u64)>,
    submitted: HashSet<(u64, u64)>,
}

impl Reader {
    fn take(&mut self, file: &'static str, table: table::Table, take: fn(&mut Self, &Row) -> Result<(), String>) {
        self.dataset.refused.extend(table.refused);
        for row in table.rows {
            if let Err(reason) = take(self, &row) {
                self.dataset.refused.push(Refused { file, line: row.line, reason });
            }
        }
    }

    fn course(&mut self, row: &Row) -> Result<(), String> {
        let (module, presentation) = (row.text("code_module")?, row.text("code_presentation")?);
        let length: i64 = row.number("module_presentation_length")?;
        if !(1..=*DAYS.end()).contains(&length) {
            return Err(format!("module_presentation_length is {length}, which is no number of days"));
        }
        let key = CourseKey::from(format!("{module}-{presentation}"));
        if self.course_places.contains_key(&key) {
            return Err(format!("{key} was told before"));
        }
        let course = Presentation {
            line: row.line,
            module: module.to_owned(),
            presentation: presentation.to_owned(),
            start: start_of(presentation)?,
            length,
        };
        self.course_places.insert(key.clone(), self.dataset.courses.len());
        self.dataset.courses.push((key, course));
        Ok(())
    }

    fn assessment(&mut self, row: &Row) -> Result<(), String> {
        let (course, _) = self.find_course(row)?;
        let id = row.number("id_assessment")?;
        let kind = row.text("assessment_type")?.to_owned();
        if self.assessment_places.contains_key(&id) {
            return Err(format!("assessment {id} was told before"));
        }
        self.assessment_places.insert(id, self.dataset.assessments.len());
        self.dataset.assessments.push(Assessment { line: row.line, id, course, kind });
        Ok(())
    }

    fn final_result(&mut self, row: &Row) -> Result<(), String> {
        let (course, _) = self.find_course(row)?;
        let student = row.number("id_student")?;
        let result = match row.text("final_result")? {
            "Distinction" => FinalResult::Distinction,
            "Pass" => FinalResult::Pass,
            "Fail" => FinalResult::Fail,
            "Withdrawn" => FinalResult::Withdrawn,
            other => {
                return Err(format!("final_result is {other:?}: Pass, Distinction, Fail or Withdrawn is expected"));
            }
        };
        if self.results.contains_key(&(course.clone(), student)) {
            return Err(format!("student {student} in {course} was told before"));
        }
        self.results.insert((course, student), (row.line, result));
        Ok(())
    }

    fn registration(&mut self, row: &Row) -> Result<(), String> {
        let (key, place) = self.find_course(row)?;
        let student = row.number("id_student")?;
        let registered = find_day(row, "date_registration")?;
        let unregistered = find_day(row, "date_unregistration")?;
        let course = &self.dataset.courses[place].1;
        let enrolled_at = course.day(registered.unwrap_or_else(|| unregistered.unwrap_or(0).min(0)));
        let unregistered_at = unregistered.map(|day| course.day(day));
        if unregistered_at.is_some_and(|at| at < enrolled_at) {
            return Err("date_unregistration is before date_registration".to_owned());
        }
        if self.registered.contains(&(key.clone(), student)) {
            return Err(format!("student {student} in {key} was told before"));
        }
        let (_, result) = self
            .results
            .get(&(key.clone(), student))
            .ok_or_else(|| format!("{STUDENTS} does not tell of student {student} in {key}"))?;
        let completed_at = matches!(result, FinalResult::Pass | FinalResult::Distinction).then(|| course.end());
        let withdrawn_at = unregistered_at.or_else(|| (*result == FinalResult::Withdrawn).then(|| course.end()));
        self.registered.insert((key.clone(), student));
        self.meet(student, row.line, enrolled_at);
        let registration =
            Registration { line: row.line, student, course: key, enrolled_at, completed_at, withdrawn_at };
        self.dataset.registrations.push(registration);
        Ok(())
    }

    /// A result without a registration has no place to be told at.
    fn refuse_unregistered(&mut self) {
        let unregistered = self.results.iter().filter(|(key, _)| !self.registered.contains(*key));
        let mut refused: Vec<Refused> = unregistered
            .map(|((course, student), (line, _))| Refused {
                file: STUDENTS,
                line: *line,
                reason: format!("{REGISTRATIONS} does not tell of student {student} in {course}"),
            })
            .collect();
        refused.sort_by_key(|refused| refused.line);
        self.dataset.refused.extend(refused);
    }

    fn submission(&mut self, row: &Row) -> Result<(), String> {
        let (assessment, student) = (row.number("id_assessment")?, row.number("id_student")?);
        let place = self.assessment_places.get(&assessment);
        let place = place.ok_or_else(|| format!("{ASSESSMENTS} does not tell of assessment {assessment}"))?;
        let course = self.dataset.assessments[*place].course.clone();
        if !self.registered.contains(&(course.clone(), student)) {
            return Err(format!("{REGISTRATIONS} does not tell of student {student} in {course}"));
        }
        let day = find_day(row, "date_submitted")?.ok_or("date_submitted is missing")?;
        let banked = match row.find("is_banked") {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => return Err(format!("is_banked is {other:?}: 0 or 1 is expected")),
        };
        let score: Option<i64> = row.find_number("score")?;
        if let Some(score) = score.filter(|score| !(0..=100).contains(score)) {
            return Err(format!("score is {score}: 0 to 100 is expected"));
        }
        if !self.submitted.insert((assessment, student)) {
            return Err(format!("assessment {assessment} by student {student} was told before"));
        }
        let submitted_at = self.dataset.courses[self.course_places[&course]].1.day(day);
        self.dataset.submissions.push(Submission { line: row.line, student, assessment, submitted_at, banked, score });
        Ok(())
    }

    fn find_course(&self, row: &Row) -> Result<(CourseKey, usize), String> {
        let key = format!("{}-{}", row.text("code_module")?, row.text("code_presentation")?);
        let found = self.course_places.get_key_value(key.as_str());
        found.map(|(key, place)| (key.clone(), *place)).ok_or_else(|| format!("{COURSES} does not tell of {key}"))
    }

    fn meet(&mut self, id: u64, line: u64, since: DateTime<Utc>) {
        if let Some(place) = self.student_places.get(&id) {
            let student = &mut self.dataset.students[*place];
            student.since = student.since.min(since);
            return;
        }
        self.student_places.insert(id, self.dataset.students.len());
        self.dataset.students.push(Student { line, id, since });
    }
}

/// A day that may be unknown, within what can be meant.
fn find_day(row: &Row, column: &'static str) -> Result<Option<i64>, String> {
    match row.find_number(column)? {
        Some(day) if !DAYS.contains(&day) => Err(format!("{column} is {day}, which is no day of a presentation")),
        day => Ok(day),
    }
}

/// The first day of a presentation: `2013B` begins in February 2013, `2013J` in October.
fn start_of(presentation: &str) -> Result<DateTime<Utc>, String> {
    let parts = presentation.split_at_checked(4).and_then(|(year, month)| {
        let month = match month {
            "B" => 2,
            "J" => 10,
            _ => return None,
        };
        let year = year.parse().ok().filter(|year| (1970..=2100).contains(year))?;
        NaiveDate::from_ymd_opt(year, month, 1)
    });
    let wrong = || format!("code_presentation is {presentation:?}: a year and B or J is expected, such as 2013J");
    Ok(parts.ok_or_else(wrong)?.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests;
