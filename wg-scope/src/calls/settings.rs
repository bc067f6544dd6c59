//! The options of calls, on threads and as futures.

/// Writes the options that all calls have. The type has a field `options`.
macro_rules! settings {
    (impl[$($generics:tt)*] $calls:ty) => {
        /// # How to run
        impl<$($generics)*> $calls {
            /// Limits how many items are handled at once, instead of what the attribute says.
            ///
            /// # Panics
            ///
            /// If `limit` is 0.
            #[track_caller]
            pub fn limit(mut self, limit: usize) -> Self {
                self.options = self.options.limit(limit);
                self
            }

            /// Names it, for reports and errors, instead of the function's name.
            pub fn name(mut self, name: &str) -> Self {
                self.options = self.options.name(name);
                self
            }

            /// Cancels at this instant; see [`Options::deadline`]($crate::Options::deadline).
            pub fn deadline(mut self, deadline: ::std::time::Instant) -> Self {
                self.options = self.options.deadline(deadline);
                self
            }

            /// Cancels so long after it began to run; see
            /// [`Options::timeout`]($crate::Options::timeout).
            pub fn timeout(mut self, timeout: ::std::time::Duration) -> Self {
                self.options = self.options.timeout(timeout);
                self
            }

            /// Cancels when `cancel` is cancelled.
            pub fn cancel(mut self, cancel: &$crate::Cancel) -> Self {
                self.options = self.options.cancel(cancel);
                self
            }

            /// Says what a failure does to the other items. The verbs have policies of their own,
            /// which this replaces.
            pub fn policy(mut self, policy: $crate::Policy) -> Self {
                self.options = self.options.policy(policy);
                self
            }

            /// Treats a panic as a failure of its item; see
            /// [`Options::catch_panics`]($crate::Options::catch_panics).
            pub fn catch_panics(mut self) -> Self {
                self.options = self.options.catch_panics();
                self
            }

            /// Hides the cancels and deadlines of outer scopes.
            pub fn shield(mut self) -> Self {
                self.options = self.options.shield();
                self
            }

            /// Records in `timeline` what runs when; see
            /// [`Options::timeline`]($crate::Options::timeline).
            pub fn timeline(mut self, timeline: &$crate::Timeline) -> Self {
                self.options = self.options.timeline(timeline);
                self
            }
        }
    };
}

pub(crate) use settings;
