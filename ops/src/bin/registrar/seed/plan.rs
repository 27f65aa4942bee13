//! What each learner does: which courses they take and how far they come, what they answer. Arithmetic on their place in
//! the list, so that every run plans the same, and that there is somebody in every situation.

use super::{
    academy::Item,
    catalogue::{Asked, Offered, option_id},
};
use serde_json::{Value, json};

/// Places in the list of courses, the popular ones more often.
const POPULARITY: [usize; 22] = [3, 7, 2, 0, 3, 8, 6, 2, 9, 7, 4, 0, 3, 5, 1, 8, 7, 2, 6, 11, 9, 4];
/// How many courses a learner takes.
const COURSES_TAKEN: [usize; 8] = [2, 4, 1, 3, 2, 5, 0, 3];
/// How far a learner comes in a course, in quarters of its lessons.
const QUARTERS: [usize; 7] = [4, 1, 3, 4, 0, 2, 4];

const WORDS: [&str; 4] = [
    "In our allotment association nobody wanted to write the minutes. I wrote them on one page and read them out at the \
     end; since then we argue about the next step and not about the last one.",
    "At the bakery the night shift and the day shift did not talk. I put a note book on the counter, and after two weeks \
     both of them used it.",
    "I noticed that our youngest colleague never spoke in meetings, so I asked her beforehand what she thought and said \
     that she had an idea worth hearing. She leads the project now.",
    "When my brother and I looked after our mother I made a calendar for the whole family. It was not the calendar that \
     helped, it was that everybody could see what was still to be done.",
];

/// One course that a learner takes.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Which.
    pub offered: &'a Offered,
    /// How many of its lessons are finished.
    pub lessons: usize,
}

/// The courses that the learner at this place takes.
pub fn courses(learner: usize, offered: &[Offered]) -> Vec<Taken<'_>> {
    let mut places: Vec<usize> = Vec::new();
    for step in 0..COURSES_TAKEN[learner % COURSES_TAKEN.len()] {
        let place = POPULARITY[(learner * 5 + step * 3) % POPULARITY.len()];
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let taken = places.iter().enumerate().filter_map(|(nth, place)| {
        let offered = offered.get(*place)?;
        let quarters = QUARTERS[(learner + nth * 2) % QUARTERS.len()];
        Some(Taken { offered, lessons: (offered.lessons.len() * quarters).div_ceil(4) })
    });
    taken.collect()
}

/// How often the learner at this place submits to an assessment: after half of its course, and some a second time.
pub fn attempts(learner: usize, asked: &Asked, taken: &[Taken<'_>]) -> u32 {
    let is_ready = match asked.course_id {
        Some(course) => {
            taken.iter().any(|taken| taken.offered.id == course && taken.lessons * 2 >= taken.offered.lessons.len())
        }
        None => learner.is_multiple_of(3),
    };
    let most = asked.assessment.max_attempts.unwrap_or(2);
    if is_ready { most.min(if learner.is_multiple_of(4) { 2 } else { 1 }) } else { 0 }
}

/// What the learner at this place answers in an attempt, counted from 0: better the second time, and never perfect alike.
pub fn answers(learner: usize, attempt: u32, items: &[Item]) -> Vec<Value> {
    let answer = |(nth, item): (usize, &Item)| {
        if item.options.is_empty() {
            return json!({ "item_id": item.id, "text": WORDS[(learner + nth) % WORDS.len()] });
        }
        // The best option stands first; the others are shown in the order that they were written in.
        let knows = attempt > 0 || (learner * 7 + nth * 11) % 10 < 7;
        let place = if knows { 0 } else { 1 + (learner + nth) % (item.options.len() - 1) };
        json!({ "item_id": item.id, "option_id": option_id(place) })
    };
    items.iter().enumerate().map(answer).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::seed::academy::{ASSESSMENTS, COURSES, Fate, LEARNERS};

    fn offered() -> Vec<Offered> {
        let id = |number: usize| Uuid::from_u128(number as u128);
        let lessons =
            |course: usize, count: usize| (0..count).map(|lesson| id(1_000 + course * 100 + lesson)).collect();
        let offered = COURSES.iter().enumerate();
        offered.map(|(at, course)| Offered { course, id: id(at), lessons: lessons(at, course.lessons.len()) }).collect()
    }

    #[test]
    fn nobody_takes_a_draft_or_a_course_twice() {
        let offered = offered();
        for learner in 0..LEARNERS.len() {
            let taken = courses(learner, &offered);
            let ids: HashSet<Uuid> = taken.iter().map(|taken| taken.offered.id).collect();
            assert_eq!(ids.len(), taken.len(), "{learner}");
            assert!(taken.iter().all(|taken| taken.offered.course.fate != Fate::Draft), "{learner}");
        }
    }

    #[test]
    fn every_course_but_the_draft_is_taken_and_there_is_somebody_at_every_stage() {
        let offered = offered();
        let plans: Vec<_> = (0..LEARNERS.len()).map(|learner| courses(learner, &offered)).collect();
        let taken: HashSet<Uuid> = plans.iter().flatten().map(|taken| taken.offered.id).collect();
        assert_eq!(taken.len(), COURSES.len() - 1);
        let whole = |taken: &&Taken<'_>| taken.lessons == taken.offered.lessons.len();
        assert!(plans.iter().any(Vec::is_empty));
        assert!(plans.iter().flatten().any(|taken| taken.lessons == 0));
        assert!(plans.iter().flatten().filter(whole).count() > 10);
        assert!(plans.iter().flatten().any(|taken| taken.lessons > 0 && !whole(&taken)));
    }

    #[test]
    fn every_assessment_is_taken_with_better_and_worse_answers() {
        let offered = offered();
        for assessment in &ASSESSMENTS {
            let course = offered.iter().find(|offered| Some(offered.course.title) == assessment.course);
            let asked = Asked { assessment, id: Uuid::nil(), course_id: course.map(|offered| offered.id) };
            let learners: Vec<usize> = (0..LEARNERS.len())
                .filter(|learner| attempts(*learner, &asked, &courses(*learner, &offered)) > 0)
                .collect();
            let answers: HashSet<String> = learners
                .iter()
                .map(|learner| Value::from(answers(*learner, 0, assessment.items)).to_string())
                .collect();
            assert!(answers.len() > 1, "{}", assessment.title);
            for (best, others) in assessment.items.iter().filter_map(|item| item.options.split_first()) {
                assert!(others.iter().all(|other| other.1 < best.1), "{}", assessment.title);
            }
        }
    }
}
