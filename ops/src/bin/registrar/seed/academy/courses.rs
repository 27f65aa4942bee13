//! What the sample academy teaches.

/// A course with its lessons.
#[derive(Debug)]
pub struct Course {
    /// Title, unique here: a course is known by it when the sample data is posted again.
    pub title: &'static str,
    /// What it teaches.
    pub description: &'static str,
    /// The name of its category.
    pub category: &'static str,
    /// Who made it: a place in the list of instructors.
    pub owner: usize,
    /// What it costs, in euro cents; 0: nothing.
    pub price_cents: u32,
    /// What becomes of it.
    pub fate: Fate,
    /// Its lessons in order.
    pub lessons: &'static [Lesson],
}

/// What becomes of a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays a draft.
    Draft,
    /// It is published.
    Published,
    /// It is published, taken by some, and withdrawn.
    Archived,
}

/// A lesson.
#[derive(Debug)]
pub struct Lesson {
    /// Title, unique in its course.
    pub title: &'static str,
    /// What it is made of.
    pub content: Content,
    /// Whether anyone may see it.
    pub preview: bool,
}

/// What a lesson is made of.
#[derive(Debug)]
pub enum Content {
    /// A text.
    Text(&'static str),
    /// A video at a URL.
    Video(&'static str),
    /// A PDF document at a URL.
    Pdf(&'static str),
}

impl Lesson {
    const fn of(title: &'static str, content: Content) -> Self {
        Self { title, content, preview: false }
    }

    const fn text(title: &'static str, text: &'static str) -> Self {
        Self::of(title, Content::Text(text))
    }

    const fn video(title: &'static str, url: &'static str) -> Self {
        Self::of(title, Content::Video(url))
    }

    const fn pdf(title: &'static str, url: &'static str) -> Self {
        Self::of(title, Content::Pdf(url))
    }

    const fn preview(self) -> Self {
        Self { preview: true, ..self }
    }
}

/// The courses of the sample academy.
pub const COURSES: [Course; 12] = [
    Course {
        title: "Everyday German A1",
        description: "Greet, shop, ask the way and make an appointment: German for the first months, with a teacher who answers.",
        category: "Languages",
        owner: 0,
        price_cents: 8_900,
        fate: Fate::Published,
        lessons: &[
            Lesson::video("Guten Tag: greeting people", "https://media.example.org/german-a1/guten-tag.mp4").preview(),
            Lesson::text(
                "Numbers, prices and the market",
                "Listen for the order: in German the ones come before the tens, so 47 is siebenundvierzig. Practise with \
                 a shopping list: say each price aloud, then add two of them up before you look.",
            ),
            Lesson::video("Asking the way", "https://media.example.org/german-a1/asking-the-way.mp4"),
            Lesson::text(
                "Making an appointment",
                "Say who you are, what it is about and when you can come: »Guten Tag, mein Name ist … Ich brauche einen \
                 Termin.« Write down the day, the time and the name of the person that you spoke to.",
            ),
            Lesson::pdf("Word list and exercises", "https://media.example.org/german-a1/word-list.pdf"),
        ],
    },
    Course {
        title: "Dutch for the workplace",
        description: "The Dutch of the shop floor, the ward and the office: instructions, safety, small talk in the break.",
        category: "Languages",
        owner: 0,
        price_cents: 12_000,
        fate: Fate::Published,
        lessons: &[
            Lesson::text(
                "Who does what",
                "Every workplace has its own names for people and tasks. Make a list of ten that you hear each day, and \
                 beside each the person who does it: de ploegleider verdeelt het werk.",
            )
            .preview(),
            Lesson::video("Understanding instructions", "https://media.example.org/dutch-work/instructions.mp4"),
            Lesson::video("Safety first: warnings and signs", "https://media.example.org/dutch-work/safety.mp4"),
            Lesson::pdf("Phrases for the first week", "https://media.example.org/dutch-work/first-week.pdf"),
        ],
    },
    Course {
        title: "Spreadsheets from the first cell",
        description: "Tables that add up: cells, formulas, sorting and a chart that tells the truth. No experience needed.",
        category: "Digital skills",
        owner: 1,
        price_cents: 0,
        fate: Fate::Published,
        lessons: &[
            Lesson::video("Cells, rows and columns", "https://media.example.org/spreadsheets/cells.mp4").preview(),
            Lesson::text(
                "Your first formula",
                "A formula begins with an equals sign. Refer to cells, never to the numbers in them: =B2*C2 stays right \
                 when the price changes, =4*2.50 does not.",
            ),
            Lesson::text(
                "Sorting without losing your place",
                "Select the whole table before you sort, or the names part from their numbers. Keep a column with a \
                 running number, and you can always go back to the order that you began with.",
            ),
            Lesson::video("A chart that tells the truth", "https://media.example.org/spreadsheets/charts.mp4"),
            Lesson::pdf("Exercise: a household budget", "https://media.example.org/spreadsheets/budget.pdf"),
            Lesson::text(
                "What to learn next",
                "Look-ups, pivot tables and shared sheets each take an evening. Begin with the one that would have saved \
                 you time last week.",
            ),
        ],
    },
    Course {
        title: "Safe online: passwords, scams and privacy",
        description: "Recognise a scam before it costs you anything, and set up your phone so that it works for you.",
        category: "Digital skills",
        owner: 1,
        price_cents: 0,
        fate: Fate::Published,
        lessons: &[
            Lesson::text(
                "Passwords that you need not remember",
                "Use a password manager and learn one long pass phrase by heart: four or five words that have nothing to \
                 do with each other or with you. Everything else is the manager's work.",
            )
            .preview(),
            Lesson::video("Anatomy of a scam message", "https://media.example.org/safe-online/anatomy.mp4"),
            Lesson::text(
                "What your phone tells about you",
                "Open the list of permissions and ask of each app: what does it do with my place, my contacts, my \
                 microphone? Take back what it does not need; nothing breaks that you cannot give again.",
            ),
        ],
    },
    Course {
        title: "Bookkeeping for small associations",
        description: "From the shoe box of receipts to an annual report that the members understand and the auditors sign.",
        category: "Work and business",
        owner: 1,
        price_cents: 6_500,
        fate: Fate::Published,
        lessons: &[
            Lesson::text(
                "One receipt, one line",
                "Number the receipts as they come in and write the number into the cash book. Whoever follows you can then \
                 find any amount in a minute, and so can you.",
            )
            .preview(),
            Lesson::video("Cash book and bank statement", "https://media.example.org/bookkeeping/cash-book.mp4"),
            Lesson::text(
                "Membership fees and donations",
                "Fees buy a membership, donations buy nothing: that is why the receipts differ. Keep them in separate \
                 accounts from the first day, and thank donors within the month.",
            ),
            Lesson::pdf("Template: annual report", "https://media.example.org/bookkeeping/annual-report.pdf"),
            Lesson::video("Meeting the auditors", "https://media.example.org/bookkeeping/auditors.mp4"),
        ],
    },
    Course {
        title: "Chairing meetings that end on time",
        description: "An agenda that works, rounds that let everybody speak, and minutes that are done when the meeting is.",
        category: "Work and business",
        owner: 1,
        price_cents: 2_900,
        fate: Fate::Published,
        lessons: &[
            Lesson::video("The agenda is a promise", "https://media.example.org/meetings/agenda.mp4").preview(),
            Lesson::text(
                "Rounds and raised hands",
                "A round costs five minutes and saves twenty: everybody has spoken once, and you know where the \
                 disagreement is. Take raised hands only after it.",
            ),
            Lesson::text(
                "Decisions that hold",
                "Say the decision in one sentence, ask who cannot live with it, and write down who does what by when. \
                 A decision without a name and a day is a wish.",
            ),
        ],
    },
    Course {
        title: "Your rights at work",
        description: "Contract, hours, sick leave, dismissal: what holds for everybody, and where to ask when it does not.",
        category: "Work and business",
        owner: 1,
        price_cents: 0,
        fate: Fate::Published,
        lessons: &[
            Lesson::text(
                "What a contract must say",
                "Who employs you, where, for what work, for how many hours and at what pay. You are to have it in writing \
                 soon after you begin; what was agreed by word of mouth holds as well, and is harder to show.",
            )
            .preview(),
            Lesson::text(
                "Hours, breaks and holidays",
                "Write down when you begin, pause and end, each day, in a note book of your own. It takes a minute, and it \
                 has settled more disputes than any lawyer's letter.",
            ),
            Lesson::video("When you fall ill", "https://media.example.org/rights/sick-leave.mp4"),
            Lesson::pdf("Where to find advice", "https://media.example.org/rights/advice.pdf"),
        ],
    },
    Course {
        title: "First aid refresher",
        description: "For those who learned it once: the recovery position, resuscitation and wounds, ready for the next time.",
        category: "Health and care",
        owner: 2,
        price_cents: 3_500,
        fate: Fate::Published,
        lessons: &[
            Lesson::text(
                "Look, call, help",
                "Look first whether you are safe yourself. Then call: say where it is before you say what it is, since a \
                 call that breaks off can still be found. Then help, and let others help you.",
            )
            .preview(),
            Lesson::video("The recovery position", "https://media.example.org/first-aid/recovery.mp4"),
            Lesson::video("Resuscitation and defibrillator", "https://media.example.org/first-aid/resuscitation.mp4"),
            Lesson::pdf("Card for the wallet", "https://media.example.org/first-aid/card.pdf"),
        ],
    },
    Course {
        title: "Caring for someone with dementia",
        description: "For relatives and friends: what changes, what stays, and how not to lose oneself over it.",
        category: "Health and care",
        owner: 2,
        price_cents: 0,
        fate: Fate::Published,
        lessons: &[
            Lesson::video("What changes and what stays", "https://media.example.org/dementia/changes.mp4").preview(),
            Lesson::text(
                "Talking when words get lost",
                "Speak slowly, one thing at a time, and wait longer than feels polite. Do not correct what does no harm: \
                 answer the feeling behind the words.",
            ),
            Lesson::text(
                "A home that helps",
                "Light on the way to the bathroom, pictures on the cupboards, the same chair at the same place. Small \
                 things that do not change carry somebody through the day.",
            ),
            Lesson::text(
                "Looking after yourself",
                "Plan an afternoon a week that is yours, and ask for it before you need it. Caring lasts for years; it is \
                 no weakness to share it.",
            ),
            Lesson::pdf("Help near you", "https://media.example.org/dementia/help.pdf"),
        ],
    },
    Course {
        title: "Mending clothes by hand",
        description: "Buttons, hems, darning and the beauty of a visible patch. Bring what has been lying in the basket.",
        category: "Crafts and culture",
        owner: 2,
        price_cents: 1_800,
        fate: Fate::Published,
        lessons: &[
            Lesson::video("Needle, thread and the first button", "https://media.example.org/mending/button.mp4").preview(),
            Lesson::video("Hems that hold", "https://media.example.org/mending/hems.mp4"),
            Lesson::text(
                "Darning a sock",
                "Stretch the hole over something round and smooth. Weave a small carpet: all threads one way first, then \
                 over and under across them, and never pull tight.",
            ),
        ],
    },
    Course {
        title: "Local history: reading old maps",
        description: "Field names, mills and vanished roads: how to read a map of two hundred years ago and walk it today.",
        category: "Crafts and culture",
        owner: 2,
        price_cents: 2_400,
        fate: Fate::Draft,
        lessons: &[
            Lesson::text(
                "What a map leaves out",
                "Every map was drawn for somebody. Ask who paid for it: a tax map shows borders, a military map shows \
                 bridges, and neither shows who lived there.",
            ),
            Lesson::pdf("Signs and symbols before 1850", "https://media.example.org/maps/symbols.pdf"),
            Lesson::video("A walk along a vanished road", "https://media.example.org/maps/walk.mp4"),
        ],
    },
    Course {
        title: "Digital photography with a compact camera",
        description: "Light, frame and moment with the camera that you have. Withdrawn: the phone has taken its place.",
        category: "Digital skills",
        owner: 1,
        price_cents: 4_000,
        fate: Fate::Archived,
        lessons: &[
            Lesson::video("Light before everything", "https://media.example.org/photography/light.mp4").preview(),
            Lesson::text(
                "Choosing the frame",
                "Take a step towards it, then another. What is not in the picture cannot distract from what is.",
            ),
            Lesson::text(
                "Keeping your pictures",
                "Two copies in two places, and a folder for each month. Delete the same evening what you would not show.",
            ),
        ],
    },
];
