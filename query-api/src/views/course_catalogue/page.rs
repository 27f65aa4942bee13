//! One page of the catalogue: which courses, in what order, from where on.

use super::{Course, CourseStatusSchema, Row};
use crate::{caller::Anyone, snapshot::Snapshot};
use chrono::{DateTime, Utc};
use events::{Role, course::CourseStatus};
use ops::{page::PageRequest, problem::Problem};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

/// One page in one order: `$after` begins behind a key, which is $10 and $11, and `$order` sorts by that key.
macro_rules! select_page {
    ($snapshot:ident, $wanted:ident, $page:ident, $key:ident, $id:ident, $after:literal, $order:literal) => {
        select_courses!(
            [r#"where c.tenant_id = $1
                 and (c.status = 'published' or $2 or c.owner_id = $3::uuid)
                 and ($4::text is null or c.status = $4)
                 and ($5::uuid is null or c.category_id = $5)
                 and ($6::uuid is null or c.owner_id = $6)
                 and ($7::bigint is null or c.price_minor >= $7)
                 and ($8::bigint is null or c.price_minor <= $8)
                 and ($9::text is null
                      or c.search @@ coalesce(
                          websearch_to_tsquery('simple', lower($9 collate pg_c_utf8))
                              || (websearch_to_tsquery('simple', lower($12 collate pg_c_utf8))
                                  && to_tsquery('simple', lower($13 collate pg_c_utf8) || ':*')),
                          websearch_to_tsquery('simple', lower($9 collate pg_c_utf8))))
                 "#
                + $after
                + " "
                + $order
                + " limit $14"],
            $snapshot.tenant_id(),
            $wanted.sees_all,
            $wanted.sees_own,
            $wanted.status.map(CourseStatus::as_str),
            $wanted.category_id,
            $wanted.owner_id,
            $wanted.min_price,
            $wanted.max_price,
            $wanted.search.as_ref().map(|search| search.whole.as_str()),
            $key,
            $id,
            $wanted.search.as_ref().map(|search| search.before.as_str()),
            $wanted.search.as_ref().and_then(|search| search.begun.as_deref()),
            $page.fetch(),
        )
        .fetch_all($snapshot.connection())
        .await?
    };
}

/// Which courses.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CourseFilter {
    /// Words in title or description, as in a web search: `"a phrase"`, `or`, `-not`. The last word may be unfinished.
    #[validate(length(max = 200))]
    #[param(max_length = 200)]
    search: Option<String>,
    /// In this category.
    category_id: Option<Uuid>,
    /// Made by this account.
    owner_id: Option<Uuid>,
    /// At this price or above, in minor units.
    #[validate(range(min = 0))]
    #[param(minimum = 0)]
    min_price: Option<i64>,
    /// At this price or below, in minor units; 0 finds what is free.
    #[validate(range(min = 0))]
    #[param(minimum = 0)]
    max_price: Option<i64>,
    /// Of this status, among those that the caller may see.
    #[param(inline, value_type = Option<CourseStatusSchema>)]
    status: Option<CourseStatus>,
    /// In this order; without it, newest first.
    #[param(inline)]
    pub(super) sort_by: Option<SortBy>,
    /// The organisation that is looked at without a token; without it, the default one.
    #[validate(length(max = 100))]
    pub(super) tenant: Option<String>,
}

/// In what order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// The newest first.
    #[default]
    Newest,
    /// The cheapest first.
    Price,
    /// The best rated first.
    Rating,
    /// Those with the most students first.
    Students,
}

/// Where a page begins. A cursor of one order is no cursor of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Newest(DateTime<Utc>, Uuid),
    Price(i64, Uuid),
    Rating(i64, Uuid),
    Students(i64, Uuid),
}

/// What a caller asks for, and may see.
pub(super) struct Wanted {
    sees_all: bool,
    sees_own: Option<Uuid>,
    status: Option<CourseStatus>,
    category_id: Option<Uuid>,
    owner_id: Option<Uuid>,
    min_price: Option<i64>,
    max_price: Option<i64>,
    search: Option<Search>,
}

/// A search, and the same search with its last word as the beginning of one.
#[derive(Debug, PartialEq, Eq)]
struct Search {
    whole: String,
    before: String,
    begun: Option<String>,
}

impl Wanted {
    pub(super) fn new(caller: Anyone, filter: &CourseFilter) -> Self {
        let sees_all = caller.0.is_some_and(|caller| caller.role.administers());
        let sees_own = caller.0.filter(|caller| caller.role == Role::Instructor).map(|caller| caller.account_id);
        let only_published = (!sees_all && sees_own.is_none()).then_some(CourseStatus::Published);
        Self {
            sees_all,
            sees_own,
            // Said again as a filter where it is all that can be seen, so that an index begins with it.
            status: filter.status.or(only_published),
            category_id: filter.category_id,
            owner_id: filter.owner_id,
            min_price: filter.min_price,
            max_price: filter.max_price,
            search: filter.search.as_deref().and_then(Search::parse),
        }
    }
}

impl Search {
    /// `None` where there is nothing to look for. Only a plain word can be unfinished: not a phrase, nor one excluded.
    fn parse(text: &str) -> Option<Self> {
        let whole = text.trim();
        let (before, last) = whole.rsplit_once(char::is_whitespace).unwrap_or(("", whole));
        let in_phrase = before.matches('"').count() % 2 == 1;
        let begun = !in_phrase && last.chars().all(char::is_alphanumeric);
        (!whole.is_empty()).then(|| Self {
            whole: whole.to_owned(),
            before: before.to_owned(),
            begun: begun.then(|| last.to_owned()),
        })
    }
}

/// The courses on a page, and one more where there are more.
pub(super) async fn select(
    snapshot: &mut Snapshot,
    wanted: &Wanted,
    sort: SortBy,
    page: &PageRequest,
) -> Result<Vec<Row>, Problem> {
    let foreign = || Problem::invalid_field("/query/cursor", "invalid", "is not a cursor of this list");
    Ok(match (sort, page.after()?) {
        (SortBy::Newest, after @ (None | Some(Key::Newest(..)))) => {
            let (key, id) =
                after.and_then(|key| if let Key::Newest(at, id) = key { Some((at, id)) } else { None }).unzip();
            select_page!(
                snapshot,
                wanted,
                page,
                key,
                id,
                "and ($10::timestamptz is null or (c.created_at, c.course_id) < ($10, $11::uuid))",
                "order by c.created_at desc, c.course_id desc"
            )
        }
        (SortBy::Price, after @ (None | Some(Key::Price(..)))) => {
            let (key, id) = after.and_then(Key::number).unzip();
            select_page!(
                snapshot,
                wanted,
                page,
                key,
                id,
                "and ($10::bigint is null or (c.price_minor, c.course_id) > ($10, $11::uuid))",
                "order by c.price_minor, c.course_id"
            )
        }
        (SortBy::Rating, after @ (None | Some(Key::Rating(..)))) => {
            let (key, id) = after.and_then(Key::number).unzip();
            select_page!(
                snapshot,
                wanted,
                page,
                key,
                id,
                "and ($10::bigint is null
                      or ((coalesce(c.avg_rating, 0) * 1000000)::bigint, c.course_id) < ($10, $11::uuid))",
                "order by (coalesce(c.avg_rating, 0) * 1000000)::bigint desc, c.course_id desc"
            )
        }
        (SortBy::Students, after @ (None | Some(Key::Students(..)))) => {
            let (key, id) = after.and_then(Key::number).unzip();
            select_page!(
                snapshot,
                wanted,
                page,
                key,
                id,
                "and ($10::bigint is null or (coalesce(s.total_students, 0), c.course_id) < ($10, $11::uuid))",
                "order by coalesce(s.total_students, 0) desc, c.course_id desc"
            )
        }
        _ => return Err(foreign()),
    })
}

impl Key {
    pub(super) fn of(course: &Course, sort: SortBy) -> Self {
        match sort {
            SortBy::Newest => Self::Newest(course.created_at, course.id),
            SortBy::Price => Self::Price(course.price.as_ref().map_or(0, |price| price.amount_minor), course.id),
            SortBy::Rating => Self::Rating(course.rating_rank, course.id),
            SortBy::Students => Self::Students(course.total_students, course.id),
        }
    }

    fn number(self) -> Option<(i64, Uuid)> {
        match self {
            Self::Newest(..) => None,
            Self::Price(number, id) | Self::Rating(number, id) | Self::Students(number, id) => Some((number, id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(text: &str) -> (String, Option<String>) {
        let search = Search::parse(text).unwrap();
        (search.before, search.begun)
    }

    #[test]
    fn the_last_word_of_a_search_may_be_unfinished() {
        assert_eq!(search("rust prog"), ("rust".to_owned(), Some("prog".to_owned())));
        assert_eq!(search(" Größ "), (String::new(), Some("Größ".to_owned())));
        for finished in ["rust -prog", "\"rust prog", "rust \"prog\"", "c++"] {
            assert_eq!(search(finished).1, None, "{finished}");
        }
        assert_eq!(Search::parse("  "), None);
    }

    #[test]
    fn who_sees_only_what_is_published_asks_for_nothing_else() {
        let wanted = Wanted::new(Anyone(None, None), &CourseFilter::default());
        assert_eq!((wanted.sees_all, wanted.sees_own, wanted.status), (false, None, Some(CourseStatus::Published)));
    }

    #[test]
    fn a_cursor_of_one_order_is_none_of_another() {
        let price = serde_json::to_string(&Key::Price(5, Uuid::nil())).unwrap();
        let students = serde_json::to_string(&Key::Students(5, Uuid::nil())).unwrap();
        assert_ne!(price, students);
    }
}
