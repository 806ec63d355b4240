//! The table at the end: each figure beside its goal.

/// What a figure ought to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// There is none: the figure is for comparison.
    Stated,
}

struct Line {
    what: String,
    figure: f64,
    goal: Goal,
    beside: String,
}

/// Figures in the order in which they were taken.
#[derive(Default)]
pub(crate) struct Table(Vec<Line>);

impl Table {
    pub(crate) fn add(&mut self, what: &str, figure: f64, goal: Goal) {
        self.add_beside(what, figure, goal, String::new());
    }

    /// Adds a figure with what it is to be compared with, in words.
    pub(crate) fn add_beside(&mut self, what: &str, figure: f64, goal: Goal, beside: String) {
        self.0.push(Line { what: what.to_owned(), figure, goal, beside });
    }

    /// A figure taken before.
    pub(crate) fn figure(&self, what: &str) -> f64 {
        self.0.iter().find(|line| line.what == what).expect("it was taken before").figure
    }

    #[expect(clippy::print_stdout, reason = "a benchmark is run for what it prints")]
    pub(crate) fn print(&self) {
        println!("{:<44} {:>12}  {:<14} {:<6} compared with", "figure", "measured", "goal", "met");
        for Line { what, figure, goal, beside } in &self.0 {
            let (goal, met) = match goal {
                Goal::AtLeast(bound) => (format!(">= {}", short(*bound)), yes(figure >= bound)),
                Goal::AtMost(bound) => (format!("<= {}", short(*bound)), yes(figure <= bound)),
                Goal::Stated => (String::new(), ""),
            };
            println!("{what:<44} {:>12}  {goal:<14} {met:<6} {beside}", short(*figure));
        }
    }
}

fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "NO" }
}

fn short(figure: f64) -> String {
    if figure >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
}
