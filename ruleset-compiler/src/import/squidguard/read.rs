//! The configuration's blocks: `kind name { … }`, with words on lines and comments behind `#`.

/// A line within a block, or a block within one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) words: Vec<String>,
    /// `None`: it is a line.
    pub(super) block: Option<Vec<Self>>,
}

/// Blocks within blocks, at most so deep.
const DEPTH_MAX: usize = 8;

/// Where a configuration is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    /// Perhaps without end.
    #[error("line {line}: blocks are nested more than {DEPTH_MAX} deep")]
    TooDeep {
        /// Of the first too deep, from 1.
        line: usize,
    },
    /// There is no block that it could end.
    #[error("line {line}: a `}}` too many")]
    NotOpen {
        /// From 1.
        line: usize,
    },
    /// The file ends within it.
    #[error("line {line}: a block is not closed")]
    NotClosed {
        /// Where it begins, from 1.
        line: usize,
    },
}

/// Reads a configuration.
///
/// # Errors
/// When a block is not closed, or closed twice.
pub(super) fn read(text: &str) -> Result<Vec<Node>, SyntaxError> {
    let mut open: Vec<(Node, Vec<Node>)> = Vec::new();
    let mut top = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut words: Vec<String> = Vec::new();
        let content = line.split('#').next().unwrap_or("");
        let spaced = content.replace('{', " { ").replace('}', " } ");
        for word in spaced.split_whitespace() {
            match word {
                "{" => {
                    if open.len() >= DEPTH_MAX {
                        return Err(SyntaxError::TooDeep { line: number });
                    }
                    let node = Node {
                        line: number,
                        words: std::mem::take(&mut words),
                        block: None,
                    };
                    open.push((node, Vec::new()));
                }
                "}" => {
                    let (mut node, mut inside) =
                        open.pop().ok_or(SyntaxError::NotOpen { line: number })?;
                    if !words.is_empty() {
                        inside.push(Node {
                            line: number,
                            words: std::mem::take(&mut words),
                            block: None,
                        });
                    }
                    // `} else {` belongs to the block before.
                    node.block = Some(inside);
                    open.last_mut()
                        .map_or(&mut top, |(_, inside)| inside)
                        .push(node);
                }
                other => words.push(other.to_owned()),
            }
        }
        if !words.is_empty() {
            let node = Node {
                line: number,
                words,
                block: None,
            };
            open.last_mut()
                .map_or(&mut top, |(_, inside)| inside)
                .push(node);
        }
    }
    if let Some((node, _)) = open.first() {
        return Err(SyntaxError::NotClosed { line: node.line });
    }
    Ok(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let found =
            read("dbhome /d\nacl {\n  a within t {\n pass !x all # y\n } else { pass none }\n}\n")
                .unwrap();
        assert_eq!(found.len(), 2);
        let acl = found[1].block.as_ref().unwrap();
        assert_eq!(acl[0].words, ["a", "within", "t"]);
        assert_eq!(
            acl[0].block.as_ref().unwrap()[0].words,
            ["pass", "!x", "all"]
        );
        assert_eq!(acl[1].words, ["else"]);
        assert!(read("a {").is_err() && read("}").is_err());
    }
}
