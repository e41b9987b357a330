//! `/console`: the page for operators, with all its parts in the binary. It is the same for everybody and holds nothing: what it shows, it asks the API for, with the key of whoever
//! looks. It must stay free of anything that a strict content policy forbids: no inline script or style, nothing from elsewhere.

mod asset;
mod files;

use actix_web::http::header::{ETAG, HeaderMap, IF_NONE_MATCH, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::{self, Problem};
use asset::Asset;
use files::{PAGE, PARTS};

/// Adds the page and its parts.
pub fn routes(app: &mut web::ServiceConfig) {
    let only_get = |path: &str| web::resource(path).default_service(problem::other_methods("GET"));
    app.service(only_get("/console").route(web::get().to(page)))
        .service(only_get("/console/").route(web::get().to(to_page)))
        .service(only_get("/console/{part:.*}").route(web::get().to(part)));
}

async fn page(request: HttpRequest) -> HttpResponse {
    answer(&PAGE, request.headers())
}

async fn part(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asset = PARTS.iter().find(|asset| Some(asset.name()) == request.match_info().get("part"));
    match asset {
        Some(asset) => Ok(answer(asset, request.headers())),
        None => problem::no_route(request).await,
    }
}

/// The parts are named relative to `/console`, so that a proxy may put the node under a path of its own.
async fn to_page() -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, "../console")).finish())
}

fn answer(asset: &Asset, headers: &HeaderMap) -> HttpResponse {
    let is_known = headers.get_all(IF_NONE_MATCH).any(|tags| tags.to_str().is_ok_and(|tags| asset.is_in(tags)));
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    for (name, value) in asset::HEADERS {
        answer.insert_header((*name, *value));
    }
    answer.insert_header((ETAG, asset.tag()));
    if is_known {
        return answer.finish();
    }
    answer.content_type(asset.content_type()).body(asset.body())
}

#[cfg(test)]
mod tests;
