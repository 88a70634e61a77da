//! The examples of a workflow's document, tried: whatever comes of each must be what it says.

use crate::{
    domain::definition::{
        decide::{HoldMove, Person, Refusal, Round, Situation, Tally, Vote},
        document::{Definition, Example, Given, When},
        finding::{Finding, FindingCode},
    },
    kernel::values::{Key, count::Count},
};

/// What somebody does in an example.
enum Action<'a> {
    Move(&'a Key),
    Vote(&'a Key, Vote),
    Hold(&'a Key, HoldMove),
}

impl When {
    /// What the person does; `None` unless it is exactly one thing.
    fn action(&self) -> Option<Action<'_>> {
        let all = [
            self.transition.as_ref().map(Action::Move),
            self.approve.as_ref().map(|key| Action::Vote(key, Vote::Approve)),
            self.reject.as_ref().map(|key| Action::Vote(key, Vote::Reject)),
            self.place.as_ref().map(|key| Action::Hold(key, HoldMove::Place)),
            self.release.as_ref().map(|key| Action::Hold(key, HoldMove::Release)),
            self.refund.as_ref().map(|key| Action::Hold(key, HoldMove::Refund)),
            self.dispute.as_ref().map(|key| Action::Hold(key, HoldMove::Dispute)),
            self.resolve.as_ref().map(|key| Action::Hold(key, HoldMove::Resolve)),
        ];
        let mut done = all.into_iter().flatten();
        done.next().filter(|_| done.next().is_none())
    }

    fn person(&self) -> Person {
        Person {
            role: self.role,
            roles: self.roles.0.clone(),
            relations: self.relations.0.clone(),
            user: self.user,
        }
    }
}

impl Given {
    fn situation(&self, when: &When) -> Situation {
        let count = |given: Option<Count>, usual: i64| given.map_or(usual, |count| count.0);
        Situation {
            status: self.status.clone(),
            open_tasks: count(self.open_tasks, 0),
            tasks_due_later: count(self.tasks_due_later, 0),
            managers: count(self.managers, 2),
            minutes: count(self.minutes, 0),
            holds: [&self.holds.0[..], &self.disputed.0].concat(),
            disputed: self.disputed.0.clone(),
            comment: when.comment.0,
            revision: when.revision.0,
        }
    }

    fn round(&self) -> Round {
        let count = |given: Option<Count>| given.map_or(0, |count| count.0);
        Round { approvals: count(self.approvals), rejections: count(self.rejections) }
    }
}

impl Definition {
    /// The examples that do not hold.
    pub(super) fn failing_examples(&self) -> impl Iterator<Item = Finding> {
        self.examples.0.iter().enumerate().filter_map(|(index, example)| {
            self.try_example(&example.0).err().map(|(part, code, detail)| {
                let name = example.0.name.as_str();
                let detail = format!("\u{201c}{name}\u{201d}: {detail}");
                Finding::new(format!("/examples/{index}{part}"), code, detail)
            })
        })
    }

    /// Tries an example; otherwise the part of it that is wrong, and how.
    fn try_example(&self, example: &Example) -> Result<(), (&'static str, FindingCode, String)> {
        use FindingCode::{ExampleFails, ExampleIncomplete, UnknownHold, UnknownStatus, UnknownTransition};
        let (given, when, then) = (&example.given.0, &example.when.0, &example.then.0);
        let unknown =
            |part, code, key: &Key| (part, code, format!("The workflow has no `{}`.", key.as_str()));
        if self.status(&given.status).is_none() {
            return Err(unknown("/given/status", UnknownStatus, &given.status));
        }
        if let Some(key) = given.holds.0.iter().chain(&given.disputed.0).find(|key| self.hold(key).is_none())
        {
            return Err(unknown("/given", UnknownHold, key));
        }
        if let Some(key) = then.status.as_ref().filter(|key| self.status(key).is_none()) {
            return Err(unknown("/then/status", UnknownStatus, key));
        }
        if then.status.is_some() == then.refused.is_some() {
            let detail = "It says either the `status` afterwards, or the code with which it is `refused`.";
            return Err(("/then", ExampleIncomplete, detail.to_owned()));
        }
        let (person, situation) = (when.person(), given.situation(when));
        let found = |key| self.transition(key).ok_or_else(|| unknown("/when", UnknownTransition, key));
        let came = match when.action() {
            None => {
                let detail = "A person does exactly one thing.";
                return Err(("/when", ExampleIncomplete, detail.to_owned()));
            }
            Some(Action::Move(key)) => {
                let transition = found(key)?;
                let decided = if when.override_votes.0 {
                    self.decide_alone(transition, &person, &situation)
                } else {
                    self.decide(transition, &person, &situation)
                };
                decided.map(|decision| &decision.done.to)
            }
            Some(Action::Vote(key, vote)) => {
                let transition = found(key)?;
                let decided = self.decide_vote(transition, vote, given.round(), &person, &situation);
                decided.map(|decision| match (decision.done, transition.votes()) {
                    (Tally::Approved, _) => &transition.to,
                    (Tally::Rejected(_), Some(approvals)) => &approvals.reject_to,
                    (Tally::Rejected(_) | Tally::Open, _) => &given.status,
                })
            }
            Some(Action::Hold(key, what)) => {
                let hold = self.hold(key).ok_or_else(|| unknown("/when", UnknownHold, key))?;
                hold.decide(what, &person, &situation).map(|_| &given.status)
            }
        };
        let said = then.status.as_ref().ok_or(then.refused);
        let matches = match (&came, &said) {
            (Ok(came), Ok(said)) => came == said,
            (Err(came), Err(said)) => Some(*came) == *said,
            _ => false,
        };
        if matches { Ok(()) } else { Err(("/then", ExampleFails, told(came))) }
    }
}

/// What came of an example, in words.
fn told(came: Result<&Key, Refusal>) -> String {
    match came {
        Ok(status) => format!("The project is in `{}`.", status.as_str()),
        Err(refusal) => format!("It is refused: `{}`.", refusal.as_str()),
    }
}
