//! Lists in pages, by keyset: each page names the place where the next one begins, so that a page costs the same
//! however far down it is, and rows that come or go in between shift nothing.
//!
//! The query itself, with its order and its key, is written where the view is.

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{HeaderName, HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    extract::{decode_query, query_pairs},
    problem::Problem,
};

/// As many items as a page holds when nothing else is asked for.
pub const DEFAULT_LIMIT: u32 = 50;
/// As many items as a page may hold.
pub const MAX_LIMIT: u32 = 200;

const MAX_CURSOR_CHARS: u64 = 1024;

/// The parameters that every list takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The number of items in a page, at most 200.
    #[validate(range(min = 1, max = MAX_LIMIT))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[validate(length(max = MAX_CURSOR_CHARS))]
    pub cursor: Option<String>,
}

/// No parameters but the page's own.
#[derive(Clone, Copy, Debug, Default, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// A list's parameters: which page, and `F`, the list's own filter (`deny_unknown_fields`, no `limit`, no `cursor`).
#[derive(Clone, Debug)]
pub struct PageQuery<F = NoFilter> {
    /// Which page.
    pub page: PageRequest,
    /// The list's own parameters.
    pub filter: F,
}

impl<F, S> FromRequestParts<S> for PageQuery<F>
where
    F: DeserializeOwned + Validate,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (page, filter) =
            query_pairs(parts).into_iter().partition(|(name, _)| matches!(name.as_str(), "limit" | "cursor"));
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, state).await;
        let params = decode_query::<PageParams>(page)?;
        let filter = decode_query(filter)?;
        let page = PageRequest { limit: params.limit.unwrap_or(DEFAULT_LIMIT), cursor: params.cursor, uri };
        Ok(Self { page, filter })
    }
}

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// The number of items, from 1 to 200.
    pub limit: u32,
    cursor: Option<String>,
    uri: Uri,
}

impl PageRequest {
    /// The key after which the page begins; a cursor that is not of this list is 422 at `/query/cursor`.
    pub fn after<C: DeserializeOwned>(&self) -> Result<Option<C>, Problem> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }

    /// As many rows as to select: one more than the page holds shows whether there is a next one.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The page of the rows that were fetched, and its link to the next; `key` gives the key of a row.
    pub fn page<T, C: Serialize>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> C) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| encode_cursor(&key(last)));
        let link = next.as_deref().and_then(|next| self.link(next));
        Page { items: rows, next, link }
    }

    fn link(&self, next: &str) -> Option<HeaderValue> {
        let pairs = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs.filter(|(name, _)| name != "cursor"))
            .append_pair("cursor", next)
            .finish();
        HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", self.uri.path())).ok()
    }
}

/// One page of a list, also as the `Link` header's `rel="next"` (RFC 8288).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    #[schema(required = true)]
    pub next: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    link: Option<HeaderValue>,
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let link: Option<[(HeaderName, HeaderValue); 1]> = self.link.clone().map(|link| [(header::LINK, link)]);
        match link {
            Some(link) => (link, axum::Json(self)).into_response(),
            None => axum::Json(self).into_response(),
        }
    }
}

/// A key as an opaque cursor. A key is a tuple of scalars; one that has no JSON form does not occur.
pub fn encode_cursor<C: Serialize>(key: &C) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The key of an opaque cursor.
pub fn decode_cursor<C: DeserializeOwned>(cursor: &str) -> Result<C, Problem> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    key.ok_or_else(|| Problem::invalid_field("/query/cursor", "invalid", "is not a cursor of this list"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use uuid::Uuid;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        role: Option<String>,
    }

    async fn query(uri: &str) -> Result<PageQuery<Filter>, Problem> {
        PageQuery::from_request_parts(&mut Request::get(uri).body(()).unwrap().into_parts().0, &()).await
    }

    #[test]
    fn a_cursor_gives_back_its_key() {
        let key = ("Ünïcode".to_owned(), Uuid::now_v7());
        assert_eq!(decode_cursor::<(String, Uuid)>(&encode_cursor(&key)).unwrap(), key);
    }

    #[tokio::test]
    async fn a_cursor_of_another_list_is_refused() {
        for cursor in ["nonsense!", &encode_cursor(&5)] {
            let asked = query(&format!("/v1/accounts?cursor={cursor}")).await.unwrap();
            let problem = asked.page.after::<(String, Uuid)>().unwrap_err();
            assert_eq!((problem.slug(), &*problem.document().errors[0].pointer), ("invalid-request", "/query/cursor"));
        }
    }

    #[tokio::test]
    async fn a_limit_is_bounded() {
        assert_eq!(query("/v1/accounts").await.unwrap().page.limit, DEFAULT_LIMIT);
        assert_eq!(query("/v1/accounts?limit=200").await.unwrap().page.fetch(), 201);
        for limit in ["0", "201", "-1", "many"] {
            let problem = query(&format!("/v1/accounts?limit={limit}")).await.unwrap_err();
            assert_eq!(problem.document().errors[0].pointer, "/query/limit", "{limit}");
        }
        assert_eq!(query("/v1/accounts?rule=x").await.unwrap_err().document().errors[0].pointer, "/query/rule");
    }

    #[tokio::test]
    async fn a_full_page_links_to_the_next_and_keeps_the_filter() {
        let asked = query("/v1/accounts?role=learner&limit=2&cursor=MQ").await.unwrap();
        assert_eq!(asked.filter.role.as_deref(), Some("learner"));
        assert_eq!(asked.page.after::<u32>().unwrap(), Some(1));
        let page = asked.page.page(vec![2, 3, 4], |row| *row);
        assert_eq!(page.items, [2, 3]);
        let link = page.link.clone().unwrap();
        assert_eq!(link, r#"</v1/accounts?role=learner&limit=2&cursor=Mw>; rel="next""#);
        assert_eq!(page.into_response().headers()[header::LINK], link);
        let last = asked.page.page(vec![2, 3], |row| *row);
        assert!(last.next.is_none() && last.link.is_none());
    }
}
