//! The configuration in the making, as the text of a `sallyport.toml`.

use std::fmt::Write as _;

use super::settings::Settings;
use super::toml_values::{list, quoted};

impl Settings {
    pub(super) fn text(&self, authority: Option<&str>) -> String {
        let mut out = String::from(
            "# Imported by `sallyport-rules import squid`; import-report.txt says what has no place here.\n\
             # The ruleset is made with: sallyport-rules compile ruleset.toml -o ruleset.spb\n\n\
             ruleset = \"ruleset.spb\"\n",
        );
        for listener in &self.listeners {
            line(
                &mut out,
                &format!("\n[[listener]]\naddress = {}", quoted(listener)),
            );
        }
        // Squid has no guard over ports: its access rules say which, and so do ours.
        line(
            &mut out,
            "\n[guard]\n# The rules say which ports may be named, as in Squid.\nports = \"any\"\nhttp_ports = \"any\"",
        );
        if !self.dns_servers.is_empty() {
            line(
                &mut out,
                &format!("\n[dns]\nservers = {}", list(&self.dns_servers)),
            );
        }
        self.times_text(&mut out);
        self.headers_text(&mut out);
        self.tls_text(authority, &mut out);
        out
    }

    fn times_text(&self, out: &mut String) {
        let mut times = self.times.clone();
        // One attempt may take no longer than all of them.
        let attempt = times.get(&("timeouts", "connect_attempt")).copied();
        if let Some(attempt) = attempt {
            let whole = times.entry(("timeouts", "connect")).or_insert(attempt);
            *whole = (*whole).max(attempt);
        }
        let mut table = "";
        for ((of, key), seconds) in &times {
            if *of != table {
                line(out, &format!("\n[{of}]"));
                table = of;
            }
            line(out, &format!("{key} = \"{seconds}s\""));
        }
    }

    fn headers_text(&self, out: &mut String) {
        line(out, "\n[headers]");
        if let Some(via) = &self.via {
            line(out, &format!("via = {}", quoted(via)));
        }
        line(out, &format!("x_forwarded_for = {}", self.x_forwarded_for));
        for (side, names) in ["request", "response"].into_iter().zip(&self.stripped) {
            let names: Vec<String> = names
                .iter()
                .filter(|name| side != "request" || !self.set.iter().any(|(set, _)| set == *name))
                .cloned()
                .collect();
            if !names.is_empty() {
                line(out, &format!("{side}.strip = {}", list(&names)));
            }
        }
        for (name, value) in &self.set {
            line(
                out,
                &format!("request.set.{} = {}", quoted(name), quoted(value)),
            );
        }
    }

    fn tls_text(&self, authority: Option<&str>, out: &mut String) {
        if self.scopes.is_empty() {
            return;
        }
        let intercepts = self.scopes.iter().any(|scope| scope.intercepts);
        line(out, "\n[tls]");
        match authority {
            Some(authority) if intercepts => line(out, &format!("ca = {}", quoted(authority))),
            _ if intercepts => line(
                out,
                "# What is decrypted needs an authority (`sallyport ca init`); take away the `#` here and below.\n# ca = \"ca.pem\"",
            ),
            _ => {}
        }
        for scope in &self.scopes {
            let text = scope.text();
            if scope.intercepts && authority.is_none() {
                for commented in text.lines() {
                    line(out, &format!("# {commented}"));
                }
            } else {
                line(out, &text);
            }
        }
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}
