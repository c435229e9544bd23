use super::Remedy;
use super::facts::Facts;
use super::standing::Standing;
use crate::readable::{shell_word, spans};

impl Facts<'_> {
    pub(super) fn remedies(&self, standing: Standing) -> Vec<Remedy> {
        let mut remedies = Vec::new();
        if self.alive == Some(0) && standing != Standing::Idle {
            remedies.push(Remedy {
                command: None,
                effect: "start a worker of the group".into(),
            });
        }
        self.of_pauses(&mut remedies);
        match standing {
            Standing::Halted | Standing::BackingOff | Standing::Suspect => {
                self.of_failure(standing, &mut remedies);
            }
            Standing::Gap => self.of_gap(&mut remedies),
            Standing::Running => self.of_run(&mut remedies),
            Standing::Unreadable => remedies.push(Remedy {
                command: None,
                effect: "run workers and this tool in the version of the newest worker".into(),
            }),
            Standing::NeverSeen
            | Standing::Idle
            | Standing::Abandoned
            | Standing::Ready
            | Standing::Paused => {}
        }
        self.of_dead(&mut remedies);
        remedies
    }

    fn command(&self, verb: &str, more: &str) -> Option<String> {
        let key = shell_word(&self.view.key);
        Some(format!("ordered {verb} {key}{more}"))
    }

    fn of_pauses(&self, remedies: &mut Vec<Remedy>) {
        if self.view.group_paused {
            remedies.push(Remedy {
                command: Some("ordered resume".into()),
                effect: "to let the group go on".into(),
            });
        }
        if self.view.paused {
            remedies.push(Remedy {
                command: self.command("resume", ""),
                effect: "to let the key go on".into(),
            });
        }
    }

    fn of_failure(&self, standing: Standing, remedies: &mut Vec<Remedy>) {
        let Some(seq) = self.seq(standing) else {
            return;
        };
        if seq >= self.head() && !self.head_is_held() && !self.is_deadly() {
            let is_full = self.has_producers() && self.view.causes.is_empty();
            let effect = if is_full {
                "once the workers run with a higher `max_producers`, to go on"
            } else {
                "to wait for it once more"
            };
            remedies.push(Remedy {
                command: self.command("retry", ""),
                effect: effect.into(),
            });
            self.pass_over(remedies);
            return;
        }
        let now = match standing {
            Standing::Halted => "once its cause is fixed, to run it again",
            Standing::Suspect => "to run it as if no worker had died",
            _ => "to run it now",
        };
        remedies.push(Remedy {
            command: self.command("retry", ""),
            effect: format!("{now}{}", self.behind()),
        });
        if seq >= self.head() && !self.head_is_held() {
            // The broker has it. What has no place in the store cannot be edited.
            remedies.push(Remedy {
                command: self.command("skip", &format!(" --to {seq}")),
                effect: format!("to pass over it{}", self.behind()),
            });
            return;
        }
        remedies.push(Remedy {
            command: self.command("edit", &format!(" {seq} --payload FILE")),
            effect: "to give it another body first".into(),
        });
        if seq >= self.head() {
            remedies.push(Remedy {
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

    fn of_gap(&self, remedies: &mut Vec<Remedy>) {
        let missing = self.missing_text();
        let before = self.first_held().map_or(0, |first| first - 1);
        if self.has_producers() {
            return self.of_missing_causes(remedies);
        }
        if self.is_at_its_beginning() {
            // It may be that nobody will ever send these: they were handled before the group was there.
            remedies.push(Remedy {
                command: self.command("set-last", &format!(" {before}")),
                effect: format!(
                    "if {missing} was handled before this group was there (`ordered import` sets many keys)"
                ),
            });
        }
        remedies.push(Remedy {
            command: self.command("dead --transport URL --queue NAME --key", ""),
            effect: "to see whether what is missing is a dead letter of the broker, where sending it again does not help"
                .into(),
        });
        if !self.is_at_its_beginning() {
            remedies.push(Remedy {
                command: None,
                effect: format!("if it is not, let the producer send {missing} again"),
            });
        }
        self.pass_over(remedies);
    }

    fn of_missing_causes(&self, remedies: &mut Vec<Remedy>) {
        if self.waits_for_producers() {
            remedies.push(Remedy {
                command: None,
                effect: "let each of them send an event, show its clock or leave (control messages `clock` and `leave`)".into(),
            });
            remedies.push(Remedy {
                command: self.command("skip", ""),
                effect: "not to wait for them: what they send with an earlier time is late".into(),
            });
            return;
        }
        if self.view.causes.is_empty() {
            return;
        }
        remedies.push(Remedy {
            command: self.command("dead --transport URL --queue NAME --key", ""),
            effect: "to see whether what is missing is a dead letter of the broker, where sending it again does not help"
                .into(),
        });
        remedies.push(Remedy {
            command: None,
            effect: format!(
                "if it is not, let its producer send {} again",
                self.missing_text()
            ),
        });
        self.pass_over(remedies);
    }

    /// Nothing of the key was ever done.
    pub(super) fn is_at_its_beginning(&self) -> bool {
        self.view.epoch == 0 && self.head() == self.group.policy().first_seq
    }

    fn pass_over(&self, remedies: &mut Vec<Remedy>) {
        if self.has_producers() && !self.view.causes.is_empty() {
            remedies.push(Remedy {
                command: self.command("skip", ""),
                effect: format!(
                    "to pass over {}, and let run what waits for it: it is late when it comes",
                    self.missing_text()
                ),
            });
            return;
        }
        if let Some(first) = self.first_held() {
            remedies.push(Remedy {
                command: self.command("skip", ""),
                effect: format!(
                    "to pass over {} and go on with {first}",
                    spans(&self.missing(), 5)
                ),
            });
        }
    }

    fn of_run(&self, remedies: &mut Vec<Remedy>) {
        if !self.is_paused() && !self.is_operators() {
            remedies.push(Remedy {
                command: self.command("pause", ""),
                effect: "to stop it after the event at work".into(),
            });
            remedies.push(Remedy {
                command: self.command("pause", " --force"),
                effect: "to take it away from the worker at once: the handler is not stopped, what it did cannot be \
                         committed, and the event runs again"
                    .into(),
            });
        }
    }

    fn of_dead(&self, remedies: &mut Vec<Remedy>) {
        let waiting = self
            .view
            .dead
            .iter()
            .find(|dead| dead.epoch == self.view.epoch && !dead.replay);
        if let Some(first) = waiting {
            remedies.push(Remedy {
                command: self.command("replay", ""),
                effect: "to run the dead letters again".into(),
            });
            remedies.push(Remedy {
                command: self.command("discard", &format!(" {}", first.seq)),
                effect: "to delete one of them permanently".into(),
            });
        }
    }
}
