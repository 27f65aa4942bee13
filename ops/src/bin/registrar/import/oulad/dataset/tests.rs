//! What is taken of the files, and what is said of the rows that are not. All rows here are made up.

use std::{fs, path::PathBuf};

use uuid::Uuid;

use super::*;

/// A folder that goes with this value: a small sound data set, some files of which are replaced.
struct Folder(PathBuf);

impl Folder {
    fn with(replaced: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("registrar-oulad-{}", Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        let sound = [
            (COURSES, "code_module,code_presentation,module_presentation_length\nXXX,2013J,100\nXXX,2014B,90\n"),
            (ASSESSMENTS, "code_module,code_presentation,id_assessment,assessment_type\nXXX,2013J,7,TMA\n"),
            (STUDENTS, "code_module,code_presentation,id_student,final_result\nXXX,2013J,1,Pass\n"),
            (
                REGISTRATIONS,
                "code_module,code_presentation,id_student,date_registration,date_unregistration\nXXX,2013J,1,-10,?\n",
            ),
            (SUBMISSIONS, "id_assessment,id_student,date_submitted,is_banked,score\n7,1,20,0,80\n"),
        ];
        for (name, content) in sound.iter().chain(replaced) {
            fs::write(path.join(name), content).unwrap();
        }
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(replaced: &[(&str, &str)]) -> Dataset {
    Dataset::read(&Folder::with(replaced).0).unwrap()
}

fn at(day: &str) -> DateTime<Utc> {
    day.parse::<NaiveDate>().unwrap().and_time(NaiveTime::MIN).and_utc()
}

fn reasons(dataset: &Dataset) -> Vec<(&str, u64, &str)> {
    dataset.refused.iter().map(|refused| (refused.file, refused.line, refused.reason.as_str())).collect()
}

/// A registration's days, and what its student came to.
fn registration(days: &str, result: &str) -> Registration {
    let students = format!("code_module,code_presentation,id_student,final_result\nXXX,2013J,1,{result}\n");
    let rows =
        format!("code_module,code_presentation,id_student,date_registration,date_unregistration\nXXX,2013J,1,{days}\n");
    let mut dataset = read(&[(STUDENTS, &students), (REGISTRATIONS, &rows)]);
    assert_eq!(reasons(&dataset), []);
    dataset.registrations.remove(0)
}

#[test]
fn days_are_counted_from_the_start_of_the_presentation() {
    let dataset = read(&[]);
    assert_eq!(reasons(&dataset), []);
    let starts: Vec<_> = dataset.courses.iter().map(|(key, course)| (&**key, course.start)).collect();
    assert_eq!(starts, [("XXX-2013J", at("2013-10-01")), ("XXX-2014B", at("2014-02-01"))]);
    assert_eq!(dataset.registrations[0].enrolled_at, at("2013-09-21"));
    assert_eq!(dataset.registrations[0].completed_at, Some(at("2014-01-09")));
    assert_eq!(dataset.submissions[0].submitted_at, at("2013-10-21"));
    assert_eq!(dataset.students[0].since, at("2013-09-21"));
}

#[test]
fn a_final_result_completes_ends_or_leaves_open() {
    let ends = |days: &str, result: &str| {
        let registration = registration(days, result);
        (registration.completed_at, registration.withdrawn_at)
    };
    let last = Some(at("2014-01-09"));
    assert_eq!(ends("-10,?", "Pass"), (last, None));
    assert_eq!(ends("-10,?", "Distinction"), (last, None));
    assert_eq!(ends("-10,?", "Fail"), (None, None));
    assert_eq!(ends("-10,5", "Withdrawn"), (None, Some(at("2013-10-06"))));
    assert_eq!(ends("-10,?", "Withdrawn"), (None, last), "without a day, it counts from the last");
    assert_eq!(ends("-10,5", "Fail"), (None, Some(at("2013-10-06"))), "who unregistered has left");
}

#[test]
fn a_registration_without_a_day_counts_from_the_first_or_from_its_end() {
    assert_eq!(registration("?,?", "Fail").enrolled_at, at("2013-10-01"));
    assert_eq!(registration(",12", "Withdrawn").enrolled_at, at("2013-10-01"));
    assert_eq!(registration(",-30", "Withdrawn").enrolled_at, at("2013-09-01"));
}

#[test]
fn a_student_in_two_courses_is_one_account_since_the_first() {
    let dataset = read(&[
        (STUDENTS, "code_module,code_presentation,id_student,final_result\nXXX,2013J,1,Fail\nXXX,2014B,1,Pass\n"),
        (
            REGISTRATIONS,
            "code_module,code_presentation,id_student,date_registration,date_unregistration\n\
             XXX,2014B,1,-10,\nXXX,2013J,1,-5,\n",
        ),
    ]);
    assert_eq!(reasons(&dataset), []);
    assert_eq!(dataset.students, [Student { line: 2, id: 1, since: at("2013-09-26") }]);
}

#[test]
fn a_result_may_be_carried_over_or_unknown() {
    let dataset = read(&[
        (STUDENTS, "code_module,code_presentation,id_student,final_result\nXXX,2013J,1,Pass\nXXX,2013J,2,Pass\n"),
        (
            REGISTRATIONS,
            "code_module,code_presentation,id_student,date_registration,date_unregistration\n\
             XXX,2013J,1,0,\nXXX,2013J,2,0,\n",
        ),
        (SUBMISSIONS, "id_assessment,id_student,date_submitted,is_banked,score\n7,1,-1,1,70\n7,2,3,0,?\n"),
    ]);
    assert_eq!(reasons(&dataset), []);
    let taken: Vec<_> = dataset.submissions.iter().map(|row| (row.banked, row.score)).collect();
    assert_eq!(taken, [(true, Some(70)), (false, None)]);
}

#[test]
fn every_row_that_is_not_taken_says_why() {
    let dataset = read(&[
        (
            COURSES,
            "code_module,code_presentation,module_presentation_length\nXXX,2013J,100\nXXX,2013J,100\nYYY,2013X,9\n\
             YYY,2013B,0\n,2013B,9\n",
        ),
        (
            ASSESSMENTS,
            "code_module,code_presentation,id_assessment,assessment_type\nXXX,2013J,7,TMA\nXXX,2013J,7,CMA\n\
             ZZZ,2013J,8,TMA\n",
        ),
        (
            STUDENTS,
            "code_module,code_presentation,id_student,final_result\nXXX,2013J,1,Pass\nXXX,2013J,1,Fail\n\
             XXX,2013J,2,Passed\nXXX,2013J,3,Fail\nXXX,2013J,4,Fail\nXXX,2013J,5\n",
        ),
        (
            REGISTRATIONS,
            "code_module,code_presentation,id_student,date_registration,date_unregistration\nXXX,2013J,1,-10,?\n\
             XXX,2013J,1,-9,?\nXXX,2013J,4,soon,?\nXXX,2013J,4,5,1\nXXX,2013J,9,0,\nXXX,2013J,4,99999,\n",
        ),
        (
            SUBMISSIONS,
            "id_assessment,id_student,date_submitted,is_banked,score\n7,1,20,0,80\n7,1,21,0,90\n9,1,20,0,80\n\
             7,3,20,0,80\n7,1,?,0,80\n7,1,20,yes,80\n7,1,20,0,101\n",
        ),
    ]);
    let expected = [
        (COURSES, 3, "XXX-2013J was told before"),
        (COURSES, 4, "code_presentation is \"2013X\": a year and B or J is expected, such as 2013J"),
        (COURSES, 5, "module_presentation_length is 0, which is no number of days"),
        (COURSES, 6, "code_module is missing"),
        (ASSESSMENTS, 3, "assessment 7 was told before"),
        (ASSESSMENTS, 4, "courses.csv does not tell of ZZZ-2013J"),
        (STUDENTS, 7, "has 3 values where the header names 4 columns"),
        (STUDENTS, 3, "student 1 in XXX-2013J was told before"),
        (STUDENTS, 4, "final_result is \"Passed\": Pass, Distinction, Fail or Withdrawn is expected"),
        (REGISTRATIONS, 3, "student 1 in XXX-2013J was told before"),
        (REGISTRATIONS, 4, "date_registration is \"soon\", which is no whole number"),
        (REGISTRATIONS, 5, "date_unregistration is before date_registration"),
        (REGISTRATIONS, 6, "studentInfo.csv does not tell of student 9 in XXX-2013J"),
        (REGISTRATIONS, 7, "date_registration is 99999, which is no day of a presentation"),
        (STUDENTS, 5, "studentRegistration.csv does not tell of student 3 in XXX-2013J"),
        (STUDENTS, 6, "studentRegistration.csv does not tell of student 4 in XXX-2013J"),
        (SUBMISSIONS, 3, "assessment 7 by student 1 was told before"),
        (SUBMISSIONS, 4, "assessments.csv does not tell of assessment 9"),
        (SUBMISSIONS, 5, "studentRegistration.csv does not tell of student 3 in XXX-2013J"),
        (SUBMISSIONS, 6, "date_submitted is missing"),
        (SUBMISSIONS, 7, "is_banked is \"yes\": 0 or 1 is expected"),
        (SUBMISSIONS, 8, "score is 101: 0 to 100 is expected"),
    ];
    assert_eq!(reasons(&dataset), expected);
    let taken = (dataset.courses.len(), dataset.assessments.len(), dataset.registrations.len());
    assert_eq!((taken, dataset.submissions.len()), ((1, 1, 1), 1));
}

#[test]
fn a_folder_that_lacks_a_file_is_refused_before_anything_is_posted() {
    let folder = Folder::with(&[]);
    fs::remove_file(folder.0.join(SUBMISSIONS)).unwrap();
    let text = Dataset::read(&folder.0).unwrap_err().to_string();
    assert!(text.ends_with("holds neither studentAssessment.csv nor studentAssessment.csv.gz"), "{text}");
}
