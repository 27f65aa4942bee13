//! The sample academy: who is there and what is taught. Invented throughout, and the same at every run.
//!
//! Data alone; how it is posted, and what becomes of each learner, is in the files beside this one.

mod assessments;
mod courses;

pub use assessments::{ASSESSMENTS, Assessment, Item};
pub use courses::{COURSES, Content, Course, Fate, Lesson};

/// Somebody with an account.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Given name.
    pub first_name: &'static str,
    /// Family name.
    pub last_name: &'static str,
    /// What stands before the `@` of the address.
    pub mailbox: &'static str,
}

impl Person {
    const fn new(first_name: &'static str, last_name: &'static str, mailbox: &'static str) -> Self {
        Self { first_name, last_name, mailbox }
    }

    /// The address to log in with, in a domain that is reserved for examples (RFC 2606).
    pub fn email(&self) -> String {
        format!("{}@example.org", self.mailbox)
    }
}

/// A part of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Category {
    /// Its name.
    pub name: &'static str,
    /// What belongs in it.
    pub description: &'static str,
}

/// Runs the installation.
pub const SUPERADMIN: Person = Person::new("Ingrid", "Solheim", "superadmin");
/// Runs the academy.
pub const ADMIN: Person = Person::new("Tobias", "Brandt", "admin");
/// Reads the history.
pub const AUDITOR: Person = Person::new("Nirmala", "Perera", "auditor");

/// Who teaches; courses name their owner by the place in this list.
pub const INSTRUCTORS: [Person; 3] = [
    Person::new("Katrin", "Vogel", "katrin.vogel"),
    Person::new("Samuel", "Adeyemi", "samuel.adeyemi"),
    Person::new("Mireille", "Fontaine", "mireille.fontaine"),
];

/// Development passwords, one for each role: they stand in the source, so they protect nothing.
pub const PASSWORDS: [(&str, &str); 5] = [
    ("superadmin", "gravel-lantern-orbits-48-teapots"),
    ("admin", "velvet-harbour-counts-93-pelicans"),
    ("auditor", "copper-thistle-reads-27-ledgers"),
    ("instructor", "maple-bicycle-hums-61-quartets"),
    ("learner", "saffron-puddle-jumps-35-fences"),
];

/// The parts of the catalogue.
pub const CATEGORIES: [Category; 5] = [
    Category { name: "Languages", description: "From the first greeting to the language of one's trade." },
    Category { name: "Digital skills", description: "Computers, phones and the net, at one's own pace." },
    Category {
        name: "Work and business",
        description: "For employees, the self-employed and those who run associations.",
    },
    Category { name: "Health and care", description: "Looking after others, and after oneself." },
    Category { name: "Crafts and culture", description: "Things made by hand, and where they come from." },
];

/// Who learns.
pub const LEARNERS: [Person; 40] = [
    Person::new("Amara", "Okafor", "amara.okafor"),
    Person::new("Jonas", "Lindqvist", "jonas.lindqvist"),
    Person::new("Leïla", "Benhaddou", "leila.benhaddou"),
    Person::new("Piotr", "Kowalczyk", "piotr.kowalczyk"),
    Person::new("Mei-Ling", "Chen", "meiling.chen"),
    Person::new("Rosa", "Giménez", "rosa.gimenez"),
    Person::new("Kwame", "Boateng", "kwame.boateng"),
    Person::new("Hanna", "Weiß", "hanna.weiss"),
    Person::new("Mehmet", "Yıldız", "mehmet.yildiz"),
    Person::new("Aoife", "Brennan", "aoife.brennan"),
    Person::new("Ravi", "Subramanian", "ravi.subramanian"),
    Person::new("Ewa", "Nowicka", "ewa.nowicka"),
    Person::new("Luca", "Ferrari", "luca.ferrari"),
    Person::new("Fatima", "Al-Sayed", "fatima.alsayed"),
    Person::new("Anders", "Mikkelsen", "anders.mikkelsen"),
    Person::new("Yuki", "Tanaka", "yuki.tanaka"),
    Person::new("Oksana", "Shevchenko", "oksana.shevchenko"),
    Person::new("Daniel", "Mbeki", "daniel.mbeki"),
    Person::new("Chiara", "Lombardi", "chiara.lombardi"),
    Person::new("Tomáš", "Dvořák", "tomas.dvorak"),
    Person::new("Nguyễn", "Thị Hoa", "hoa.nguyen"),
    Person::new("Pádraig", "Ó Conaill", "padraig.oconaill"),
    Person::new("Selin", "Aydın", "selin.aydin"),
    Person::new("Marta", "Oliveira", "marta.oliveira"),
    Person::new("Ibrahim", "Diallo", "ibrahim.diallo"),
    Person::new("Sofia", "Papadopoulou", "sofia.papadopoulou"),
    Person::new("Henrik", "Jansen", "henrik.jansen"),
    Person::new("Zsófia", "Nagy", "zsofia.nagy"),
    Person::new("Arjun", "Mehta", "arjun.mehta"),
    Person::new("Claire", "Dubois", "claire.dubois"),
    Person::new("Goran", "Petrović", "goran.petrovic"),
    Person::new("Nadia", "Rahimi", "nadia.rahimi"),
    Person::new("Willem", "de Boer", "willem.deboer"),
    Person::new("Esther", "Cohen", "esther.cohen"),
    Person::new("Carlos", "Mendoza", "carlos.mendoza"),
    Person::new("Siân", "Pritchard", "sian.pritchard"),
    Person::new("Abdi", "Warsame", "abdi.warsame"),
    Person::new("Elena", "Ionescu", "elena.ionescu"),
    Person::new("Mateo", "Quispe", "mateo.quispe"),
    Person::new("Grace", "Mwangi", "grace.mwangi"),
];

/// The development password of a role.
pub fn password(role: &str) -> &'static str {
    PASSWORDS.iter().find(|(of, _)| *of == role).map_or("", |(_, password)| password)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use zxcvbn::{Score, zxcvbn};

    use super::*;

    fn everybody() -> impl Iterator<Item = Person> {
        [SUPERADMIN, ADMIN, AUDITOR].into_iter().chain(INSTRUCTORS).chain(LEARNERS)
    }

    #[test]
    fn everybody_has_an_address_of_their_own() {
        let addresses: HashSet<String> = everybody().map(|person| person.email()).collect();
        assert_eq!(addresses.len(), 46);
    }

    #[test]
    fn every_password_is_one_that_the_command_api_takes() {
        let known: Vec<&str> = everybody().flat_map(|person| [person.first_name, person.last_name]).collect();
        for (role, password) in PASSWORDS {
            assert!(password.chars().count() >= 12, "{role}");
            assert!(zxcvbn(password, &known).score() >= Score::Three, "{role}");
        }
    }

    #[test]
    fn the_catalogue_holds_together() {
        let titles: HashSet<&str> = COURSES.iter().map(|course| course.title).collect();
        assert_eq!(titles.len(), COURSES.len());
        for course in &COURSES {
            assert!(CATEGORIES.iter().any(|category| category.name == course.category), "{}", course.title);
            assert!(course.owner < INSTRUCTORS.len(), "{}", course.title);
            assert!((3..=6).contains(&course.lessons.len()), "{}", course.title);
            let lessons: HashSet<&str> = course.lessons.iter().map(|lesson| lesson.title).collect();
            assert_eq!(lessons.len(), course.lessons.len(), "{}", course.title);
        }
        for fate in [Fate::Draft, Fate::Archived] {
            assert_eq!(COURSES.iter().filter(|course| course.fate == fate).count(), 1);
        }
    }

    #[test]
    fn an_assessment_belongs_to_a_course_of_its_author() {
        for assessment in &ASSESSMENTS {
            let Some(title) = assessment.course else { continue };
            let course = COURSES.iter().find(|course| course.title == title).unwrap();
            assert_eq!(course.owner, assessment.author, "{}", assessment.title);
            assert_eq!(course.fate, Fate::Published, "{}", assessment.title);
        }
    }
}
