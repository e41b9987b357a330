//! What a node says to the person who started it: where it serves, and on its first start where its secrets are and what to try. Words only; no secret is in them.

use std::path::{Path, PathBuf};

use super::target::url_of;
use crate::config::{Config, secrets};

/// What the words are made of.
pub(super) struct Greeting<'a> {
    pub(super) config: &'a Config,
    /// Where the node serves.
    pub(super) url: String,
    /// The configuration file, if one was given on the command line.
    pub(super) file: Option<&'a Path>,
    /// How this program is called from here.
    pub(super) program: String,
}

impl Greeting<'_> {
    /// What is now true.
    pub(super) fn serves(&self) -> String {
        let node = &self.config.node;
        format!("engage serves {} as node {}; pid {}", self.url, node.name, std::process::id())
    }

    /// Where the secrets are that were just made, three commands to try, and a page.
    pub(super) fn first_start(&self) -> String {
        let secrets = self.config.node.data_dir.join(secrets::FILE_NAME);
        let mut text = format!(
            "first start: this node's secrets are in {}, readable by you alone; commands on this machine find them there.\nnow try, in other terminals:\n",
            secrets.display()
        );
        let (node, local) = self.options();
        for command in [
            format!("connect --user ann --device phone --ack{node}{local}"),
            format!("publish --user ann --id hello --payload '{{\"title\":\"Hello, Ann\"}}'{node}{local}"),
            format!("token --user ann{local}"),
        ] {
            text += &format!("\n  {} {command}", self.program);
        }
        text + &format!("\n\nand in a browser, with the key that is kept there:\n\n  {}/console", self.url)
    }

    /// What a command in another terminal must be told, since it has the same folder but not this one's environment: where the node is, and its files.
    fn options(&self) -> (String, String) {
        let nothing: [(&str, &str); 0] = [];
        let seen = Config::load_from(self.file, nothing).unwrap_or_default();
        let node = if url_of(&seen) == self.url { String::new() } else { format!(" --url {}", self.url) };
        let mut local = self.file.map(|file| format!(" --config {}", quoted(file))).unwrap_or_default();
        if seen.node.data_dir != self.config.node.data_dir {
            local += &format!(" --data-dir {}", quoted(&self.config.node.data_dir));
        }
        (node, local)
    }
}

/// How to call this program from the current folder.
pub(super) fn program() -> String {
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    let Ok(own) = own else { return "engage".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&path).any(|folder| folder.join("engage").canonicalize().is_ok_and(|found| found == own));
    if is_found {
        return "engage".to_owned();
    }
    let inside = std::env::current_dir().ok().and_then(|folder| own.strip_prefix(folder).ok().map(PathBuf::from));
    quoted(&inside.unwrap_or(own))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_defaults_the_commands_need_no_options() {
        let config = Config::default();
        let greeting = Greeting { config: &config, url: url_of(&config), file: None, program: "engage".to_owned() };
        assert_eq!(greeting.options(), (String::new(), String::new()));
        assert!(greeting.first_start().contains("data/secrets.toml"));
    }

    #[test]
    fn what_only_this_environment_says_is_said_to_the_commands() {
        let mut config = Config::default();
        config.http.listen = "127.0.0.1:7500".parse().expect("it is an address");
        config.node.data_dir = "/srv/it's mine".into();
        let greeting = Greeting { config: &config, url: url_of(&config), file: None, program: "engage".to_owned() };
        let (node, local) = greeting.options();
        assert_eq!(node, " --url http://127.0.0.1:7500");
        assert_eq!(local, r" --data-dir '/srv/it'\''s mine'");
    }
}
