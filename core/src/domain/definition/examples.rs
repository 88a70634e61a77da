//! The examples of a workflow's document, tried: whatever comes of each must be what it says.

use crate::{
    domain::definition::{
        decide::{HoldMove, Person, Refusal, Round, Situation, Tally, Vote},
        document::{Definition, Example, Given, Relation, Transition, When},
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
            released: self.released.0.clone(),
            disputer: when.disputer.0,
            comment: when.comment.0,
            revision: when.revision.0,
        }
    }

    fn round(&self) -> Round {
        let count = |given: Option<Count>| given.map_or(0, |count| count.0);
        Round { approvals: count(self.approvals), rejections: count(self.rejections) }
    }
}

/// What is wrong with an example: the part of it, the code, and a sentence.
type Wrong = (&'static str, FindingCode, String);

fn unknown(part: &'static str, code: FindingCode, key: &Key) -> Wrong {
    (part, code, format!("the workflow has no `{}`.", key.as_str()))
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

    /// Tries an example.
    fn try_example(&self, example: &Example) -> Result<(), Wrong> {
        let (given, when, then) = (&example.given.0, &example.when.0, &example.then.0);
        self.check_keys(example)?;
        if let Some((part, detail)) = self.impossible(given, when) {
            return Err((part, FindingCode::ExampleImpossible, detail.to_owned()));
        }
        if then.status.is_some() == then.refused.is_some() {
            let detail = "it says either the `status` afterwards, or the code with which it is `refused`.";
            return Err(("/then", FindingCode::ExampleIncomplete, detail.to_owned()));
        }
        let said = then.status.as_ref().ok_or(then.refused);
        let came = self.play(given, when)?;
        let matches = match (&came, &said) {
            (Ok(came), Ok(said)) => came == said,
            (Err(came), Err(said)) => Some(*came) == *said,
            _ => false,
        };
        if matches { Ok(()) } else { Err(("/then", FindingCode::ExampleFails, told(came, said))) }
    }

    /// Does what the person does: the status afterwards, or the refusal.
    fn play<'a>(&'a self, given: &'a Given, when: &When) -> Result<Result<&'a Key, Refusal>, Wrong> {
        let (person, situation) = (when.person(), given.situation(when));
        let found =
            |key| self.transition(key).ok_or_else(|| unknown("/when", FindingCode::UnknownTransition, key));
        Ok(match when.action() {
            None => {
                let detail = "a person does exactly one thing.";
                return Err(("/when", FindingCode::ExampleIncomplete, detail.to_owned()));
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
                let hold = self.hold(key).ok_or_else(|| unknown("/when", FindingCode::UnknownHold, key))?;
                hold.decide(what, &person, &situation).map(|_| &given.status)
            }
        })
    }

    /// Whether the workflow has what an example names.
    fn check_keys(&self, example: &Example) -> Result<(), Wrong> {
        use FindingCode::{UnknownHold, UnknownRole, UnknownStatus};
        let (given, when, then) = (&example.given.0, &example.when.0, &example.then.0);
        if self.status(&given.status).is_none() {
            return Err(unknown("/given/status", UnknownStatus, &given.status));
        }
        for (part, keys) in [
            ("/given/holds", &given.holds.0),
            ("/given/disputed", &given.disputed.0),
            ("/given/released", &given.released.0),
        ] {
            if let Some(key) = keys.iter().find(|key| self.hold(key).is_none()) {
                return Err(unknown(part, UnknownHold, key));
            }
        }
        let is_role = |key: &Key| self.roles.0.iter().any(|role| role.0.key == *key);
        if let Some(key) = when.roles.0.iter().find(|key| !is_role(key)) {
            return Err(unknown("/when/roles", UnknownRole, key));
        }
        match then.status.as_ref().filter(|key| self.status(key).is_none()) {
            Some(key) => Err(unknown("/then/status", UnknownStatus, key)),
            None => Ok(()),
        }
    }

    /// What of a situation cannot be, and where it stands.
    fn impossible(&self, given: &Given, when: &When) -> Option<(&'static str, &'static str)> {
        let from = |count: Option<Count>, least: i64| count.is_some_and(|count| count.0 >= least);
        let voted = when.approve.as_ref().or(when.reject.as_ref());
        let round = voted.and_then(|key| self.transition(key)).and_then(Transition::votes);
        let ended = round.is_some_and(|round| {
            from(given.approvals, round.votes.0) || from(given.rejections, round.rejections())
        });
        let elsewhere = |key: &Key| given.disputed.0.contains(key) || given.released.0.contains(key);
        let undisputed = |key: &Key| self.hold(key).is_some_and(|hold| hold.disputed_by.0.is_empty());
        let assignee = when.relations.0.contains(&Relation::Assignee);
        let all = [
            (given.managers == Some(Count(0)), "/given/managers", "a tenant has at least one owner."),
            (
                assignee && !from(given.open_tasks, 1),
                "/when/relations",
                "an assignee has an open task, and there is none (`open_tasks`).",
            ),
            (
                given.holds.0.iter().any(elsewhere),
                "/given/holds",
                "a hold is held, or it is disputed, or it was released.",
            ),
            (given.disputed.0.iter().any(undisputed), "/given/disputed", "nobody can dispute such a hold."),
            (
                when.override_votes.0 && when.transition.is_none(),
                "/when/override_votes",
                "who decides without votes makes the transition.",
            ),
            (when.disputer.0 && when.resolve.is_none(), "/when/disputer", "it matters for `resolve` only."),
            (ended, "/given", "a round with that many votes has ended."),
        ];
        all.into_iter().find(|(wrong, ..)| *wrong).map(|(_, part, detail)| (part, detail))
    }
}

/// What came of an example, and what it says.
fn told(came: Result<&Key, Refusal>, said: Result<&Key, Option<Refusal>>) -> String {
    let said = match said {
        Ok(status) => status.as_str(),
        Err(refusal) => refusal.map_or_else(Default::default, Refusal::as_str),
    };
    match came {
        Ok(status) => format!("the project is in `{}` afterwards, not `{said}`.", status.as_str()),
        Err(refusal) => format!("it is refused with `{}`, not `{said}`.", refusal.as_str()),
    }
}
