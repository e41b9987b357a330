//! The page, as it stands in `page/`, inside the binary.

/// A file of the page.
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($path:literal, $content_type:ident, $file:literal) => {
        Asset { path: $path, content_type: $content_type, body: include_bytes!(concat!("page/", $file)) }
    };
}

/// All of them.
pub(super) const ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("/announce.js", SCRIPT, "announce.js"),
    asset!("/api.js", SCRIPT, "api.js"),
    asset!("/banner.js", SCRIPT, "banner.js"),
    asset!("/bus.js", SCRIPT, "bus.js"),
    asset!("/cluster.js", SCRIPT, "cluster.js"),
    asset!("/demo.css", CSS, "demo.css"),
    asset!("/demo.js", SCRIPT, "demo.js"),
    asset!("/device-frame.js", SCRIPT, "device-frame.js"),
    asset!("/device.css", CSS, "device.css"),
    asset!("/device.html", HTML, "device.html"),
    asset!("/device.js", SCRIPT, "device.js"),
    asset!("/devices.js", SCRIPT, "devices.js"),
    asset!("/dom.js", SCRIPT, "dom.js"),
    asset!("/engage.js", SCRIPT, "engage.js"),
    asset!("/form.js", SCRIPT, "form.js"),
    asset!("/icon.svg", SVG, "icon.svg"),
    asset!("/kept.js", SCRIPT, "kept.js"),
    asset!("/kinds.js", SCRIPT, "kinds.js"),
    asset!("/network.js", SCRIPT, "network.js"),
    asset!("/publish.js", SCRIPT, "publish.js"),
    asset!("/screen.js", SCRIPT, "screen.js"),
    asset!("/stage.css", CSS, "stage.css"),
    asset!("/survey.js", SCRIPT, "survey.js"),
    asset!("/theme.js", SCRIPT, "theme.js"),
    asset!("/timelines.js", SCRIPT, "timelines.js"),
    asset!("/tokens.css", CSS, "tokens.css"),
    asset!("/tour.js", SCRIPT, "tour.js"),
    asset!("/traffic.js", SCRIPT, "traffic.js"),
    asset!("/tries.js", SCRIPT, "tries.js"),
    asset!("/wires.js", SCRIPT, "wires.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is not in the table is not served: a page that imports it stays blank.
    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/page");
        let served: Vec<&str> = ASSETS.iter().map(|asset| if asset.path == "/" { "index.html" } else { &asset.path[1..] }).collect();
        for file in std::fs::read_dir(folder).expect("the page is there") {
            let name = file.expect("it can be read").file_name().into_string().expect("a plain name");
            assert!(served.contains(&name.as_str()), "{name} is not in the table");
        }
    }

    #[test]
    fn nothing_in_the_page_is_inline_or_comes_from_elsewhere() {
        for asset in ASSETS.iter().filter(|asset| asset.content_type == HTML) {
            let text = std::str::from_utf8(asset.body).expect("it is text");
            for banned in ["<style", " style=\"", " onclick=", "<script>", "https://", "//cdn"] {
                assert!(!text.contains(banned), "{}: {banned}", asset.path);
            }
        }
    }
}
