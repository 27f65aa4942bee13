//! What the sample academy asks its learners.

/// An assessment with its items.
#[derive(Debug)]
pub struct Assessment {
    /// Title, unique here: an assessment is known by it when the sample data is posted again.
    pub title: &'static str,
    /// `sjt`, a situational judgement test, or `jdt`, a job dilemma test.
    pub kind: &'static str,
    /// The title of the course that it belongs to, where it does.
    pub course: Option<&'static str>,
    /// Who made it: a place in the list of instructors.
    pub author: usize,
    /// Share of the highest score that passes.
    pub pass_percent: Option<u8>,
    /// Time for one attempt.
    pub time_limit_seconds: Option<u32>,
    /// How often a learner may submit.
    pub max_attempts: Option<u32>,
    /// What it asks.
    pub items: &'static [Item],
}

/// One question; without options it is answered in words.
#[derive(Debug)]
pub struct Item {
    /// Its id, unique within the assessment.
    pub id: &'static str,
    /// The question.
    pub prompt: &'static str,
    /// What can be chosen, and what each choice is worth.
    pub options: &'static [(&'static str, i32)],
}

/// The assessments of the sample academy.
pub const ASSESSMENTS: [Assessment; 4] = [
    Assessment {
        title: "First aid: what do you do?",
        kind: "sjt",
        course: Some("First aid refresher"),
        author: 2,
        pass_percent: Some(70),
        time_limit_seconds: Some(1_200),
        max_attempts: Some(3),
        items: &[
            Item {
                id: "cyclist",
                prompt: "A cyclist lies beside the road and does not move. Cars pass. What comes first?",
                options: &[
                    ("Secure the place, so that nobody drives into you both", 3),
                    ("Call the emergency number from where you stand", 2),
                    ("Run to the cyclist at once", 1),
                    ("Drive on: others will have called", -2),
                ],
            },
            Item {
                id: "breathing",
                prompt: "She does not answer you, and she breathes. What now?",
                options: &[
                    ("Recovery position, call, stay and watch her breathing", 3),
                    ("Begin chest compressions", -1),
                    ("Give her water", -2),
                    ("Raise her legs and wait", 0),
                ],
            },
            Item {
                id: "bystanders",
                prompt: "Six people stand around and film. You need help. What do you say?",
                options: &[
                    ("“You in the red coat, please call the ambulance and tell me when you have.”", 3),
                    ("“Can somebody help?”", 1),
                    ("Nothing: you manage alone", 0),
                    ("“Stop filming, all of you!”", 0),
                ],
            },
        ],
    },
    Assessment {
        title: "Scam or not?",
        kind: "sjt",
        course: Some("Safe online: passwords, scams and privacy"),
        author: 1,
        pass_percent: Some(60),
        time_limit_seconds: None,
        max_attempts: None,
        items: &[
            Item {
                id: "parcel",
                prompt: "A text message says that a parcel is waiting and asks for 1.99 € by a link. You do expect a parcel.",
                options: &[
                    ("Open the carrier's own app or site and look there", 3),
                    ("Ask the sender by replying", 0),
                    ("Pay: it is only 1.99 €", -3),
                ],
            },
            Item {
                id: "bank-call",
                prompt: "Your bank's number calls: somebody is emptying your account, and you are to approve a transfer to a \
                         safe one.",
                options: &[
                    ("Hang up and call the bank by the number on your card", 3),
                    ("Ask for the caller's name and approve it", -3),
                    ("Say that you will think about it, and stay on the line", 0),
                ],
            },
            Item {
                id: "colleague",
                prompt: "A colleague asks by e-mail, in haste, for the password of the shared account.",
                options: &[
                    ("Call the colleague before you do anything", 3),
                    ("Send it in two parts", -1),
                    ("Ignore the message", 1),
                ],
            },
            Item {
                id: "grandchild",
                prompt: "“Hello grandma, my phone is broken, this is my new number.” What do you write back?",
                options: &[
                    ("Nothing; you call the old number", 3),
                    ("A question that only the grandchild can answer", 2),
                    ("“How much do you need?”", -3),
                ],
            },
        ],
    },
    Assessment {
        title: "The treasurer's dilemmas",
        kind: "jdt",
        course: Some("Bookkeeping for small associations"),
        author: 1,
        pass_percent: Some(65),
        time_limit_seconds: Some(1_800),
        max_attempts: Some(2),
        items: &[
            Item {
                id: "missing-receipt",
                prompt: "The chair asks for 84 € back and has lost the receipt. The members like the chair.",
                options: &[
                    ("A written note of what was bought, signed by both, and a word in the annual report", 3),
                    ("Pay: everybody trusts the chair", 0),
                    ("Refuse, and say why in front of all members", 1),
                ],
            },
            Item {
                id: "surplus",
                prompt: "In December 2,000 € are left, and next year's grant depends on having spent this year's.",
                options: &[
                    ("Tell the funder now, and ask to carry it over", 3),
                    ("Buy what will be needed next year anyway, and say so", 2),
                    ("Write an invoice for something that was never bought", -3),
                ],
            },
            Item {
                id: "friend",
                prompt: "Your brother's firm offers the printing at a good price.",
                options: &[
                    ("Say whose firm it is, get two more offers, and let others decide", 3),
                    ("Take the offer: it is a good price", 0),
                    ("Tell nobody, and ask for a discount", -2),
                ],
            },
        ],
    },
    Assessment {
        title: "Working together: a first look",
        kind: "jdt",
        course: None,
        author: 0,
        pass_percent: None,
        time_limit_seconds: Some(2_400),
        max_attempts: Some(1),
        items: &[
            Item {
                id: "late-colleague",
                prompt: "A colleague has been late every day this week, and you have covered it. What do you do?",
                options: &[
                    ("Ask the colleague, alone, what is the matter", 3),
                    ("Tell the team leader", 1),
                    ("Go on covering it", 0),
                ],
            },
            Item {
                id: "own-mistake",
                prompt: "You notice a mistake of yours in work that was delivered yesterday. Nobody else has noticed.",
                options: &[
                    ("Tell those concerned, with a proposal how to mend it", 3),
                    ("Mend it quietly in the next delivery", 1),
                    ("Wait whether anybody notices", -1),
                ],
            },
            Item {
                id: "in-your-words",
                prompt: "Describe in a few sentences a time when a group that you were in got on better because of you.",
                options: &[],
            },
        ],
    },
];
