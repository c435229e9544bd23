use super::SuggestedAction;
use super::explainer::Explainer;
use super::status::KeyStatus;
use crate::readable::{shell_word, spans};

impl Explainer<'_> {
    pub(super) fn suggested_actions(&self, status: KeyStatus) -> Vec<SuggestedAction> {
        let mut suggested_actions = Vec::new();
        if self.alive == Some(0) && status != KeyStatus::Idle {
            suggested_actions.push(SuggestedAction {
                command: None,
                effect: "start a worker of the group".into(),
            });
        }
        self.of_pauses(&mut suggested_actions);
        match status {
            KeyStatus::Halted | KeyStatus::BackingOff | KeyStatus::Suspect => {
                self.of_failure(status, &mut suggested_actions);
            }
            KeyStatus::Gap => self.of_gap(&mut suggested_actions),
            KeyStatus::Running => self.of_run(&mut suggested_actions),
            KeyStatus::Unreadable => suggested_actions.push(SuggestedAction {
                command: None,
                effect: "run workers and this tool in the version of the newest worker".into(),
            }),
            KeyStatus::NeverSeen
            | KeyStatus::Idle
            | KeyStatus::Abandoned
            | KeyStatus::Ready
            | KeyStatus::Paused => {}
        }
        self.of_dead(&mut suggested_actions);
        suggested_actions
    }

    fn command(&self, verb: &str, more: &str) -> Option<String> {
        let key = shell_word(&self.view.key);
        Some(format!("ordered {verb} {key}{more}"))
    }

    fn of_pauses(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        if self.view.group_paused {
            suggested_actions.push(SuggestedAction {
                command: Some("ordered resume".into()),
                effect: "to let the group go on".into(),
            });
        }
        if self.view.paused {
            suggested_actions.push(SuggestedAction {
                command: self.command("resume", ""),
                effect: "to let the key go on".into(),
            });
        }
    }

    fn of_failure(&self, status: KeyStatus, suggested_actions: &mut Vec<SuggestedAction>) {
        let Some(seq) = self.seq(status) else {
            return;
        };
        if seq >= self.head() && !self.head_is_held() && !self.is_deadly() {
            let is_full = self.has_producers() && self.view.causes.is_empty();
            let effect = if is_full {
                "once the workers run with a higher `max_producers`, to go on"
            } else {
                "to wait for it once more"
            };
            suggested_actions.push(SuggestedAction {
                command: self.command("retry", ""),
                effect: effect.into(),
            });
            self.pass_over(suggested_actions);
            return;
        }
        let now = match status {
            KeyStatus::Halted => "once its cause is fixed, to run it again",
            KeyStatus::Suspect => "to run it as if no worker had died",
            _ => "to run it now",
        };
        suggested_actions.push(SuggestedAction {
            command: self.command("retry", ""),
            effect: format!("{now}{}", self.behind()),
        });
        if seq >= self.head() && !self.head_is_held() {
            // The broker has it. What has no place in the store cannot be edited.
            suggested_actions.push(SuggestedAction {
                command: self.command("skip", &format!(" --to {seq}")),
                effect: format!("to pass over it{}", self.behind()),
            });
            return;
        }
        suggested_actions.push(SuggestedAction {
            command: self.command("edit", &format!(" {seq} --payload FILE")),
            effect: "to give it another body first".into(),
        });
        if seq >= self.head() {
            suggested_actions.push(SuggestedAction {
                command: self.command("skip", ""),
                effect: format!("to make it a dead letter{}", self.behind()),
            });
        }
    }

    /// What goes on when the head is out of the way.
    fn behind(&self) -> String {
        let next = self.view.held.iter().find(|held| held.seq > self.head());
        next.map(|next| format!(" and go on with {}", next.seq))
            .unwrap_or_default()
    }

    fn of_gap(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        let missing = self.missing_text();
        let before = self.first_held().map_or(0, |first| first - 1);
        if self.has_producers() {
            return self.of_missing_causes(suggested_actions);
        }
        if self.is_at_its_beginning() {
            // It may be that nobody will ever send these: they were handled before the group was there.
            suggested_actions.push(SuggestedAction {
                command: self.command("set-last", &format!(" {before}")),
                effect: format!(
                    "if {missing} was handled before this group was there (`ordered import` sets many keys)"
                ),
            });
        }
        suggested_actions.push(SuggestedAction {
            command: self.command("dead --transport URL --queue NAME --key", ""),
            effect: "to see whether what is missing is a dead letter of the broker, where sending it again does not \
                     help"
                .into(),
        });
        if !self.is_at_its_beginning() {
            suggested_actions.push(SuggestedAction {
                command: None,
                effect: format!("if it is not, let the producer send {missing} again"),
            });
        }
        self.pass_over(suggested_actions);
    }

    fn of_missing_causes(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        if self.waits_for_producers() {
            suggested_actions.push(SuggestedAction {
                command: None,
                effect: "let each of them send an event, show its clock or leave (control messages `clock` and \
                         `leave`)".into(),
            });
            suggested_actions.push(SuggestedAction {
                command: self.command("skip", ""),
                effect: "not to wait for them: what they send with an earlier time is late".into(),
            });
            return;
        }
        if self.view.causes.is_empty() {
            return;
        }
        suggested_actions.push(SuggestedAction {
            command: self.command("dead --transport URL --queue NAME --key", ""),
            effect: "to see whether what is missing is a dead letter of the broker, where sending it again does not \
                     help"
                .into(),
        });
        suggested_actions.push(SuggestedAction {
            command: None,
            effect: format!(
                "if it is not, let its producer send {} again",
                self.missing_text()
            ),
        });
        self.pass_over(suggested_actions);
    }

    /// Nothing of the key was ever done.
    pub(super) fn is_at_its_beginning(&self) -> bool {
        self.view.epoch == 0 && self.head() == self.group.policy().first_seq
    }

    fn pass_over(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        if self.has_producers() && !self.view.causes.is_empty() {
            suggested_actions.push(SuggestedAction {
                command: self.command("skip", ""),
                effect: format!(
                    "to pass over {}, and let run what waits for it: it is late when it comes",
                    self.missing_text()
                ),
            });
            return;
        }
        if let Some(first) = self.first_held() {
            suggested_actions.push(SuggestedAction {
                command: self.command("skip", ""),
                effect: format!(
                    "to pass over {} and go on with {first}",
                    spans(&self.missing(), 5)
                ),
            });
        }
    }

    fn of_run(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        if !self.is_paused() && !self.is_operators() {
            suggested_actions.push(SuggestedAction {
                command: self.command("pause", ""),
                effect: "to stop it after the event at work".into(),
            });
            suggested_actions.push(SuggestedAction {
                command: self.command("pause", " --force"),
                effect: "to take it away from the worker at once: the handler is not stopped, what it did cannot be \
                         committed, and the event runs again"
                    .into(),
            });
        }
    }

    fn of_dead(&self, suggested_actions: &mut Vec<SuggestedAction>) {
        let waiting = self
            .view
            .dead
            .iter()
            .find(|dead| dead.epoch == self.view.epoch && !dead.replay);
        if let Some(first) = waiting {
            suggested_actions.push(SuggestedAction {
                command: self.command("replay", ""),
                effect: "to run the dead letters again".into(),
            });
            suggested_actions.push(SuggestedAction {
                command: self.command("discard", &format!(" {}", first.seq)),
                effect: "to delete one of them permanently".into(),
            });
        }
    }
}
