//! Starting tasks: the same for every place, but for what a task may hold.

/// Writes the methods that start tasks in a place, whose tasks live at least as long as `$env`.
macro_rules! surface {
    (impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, [$($send:tt)*]) => {
        /// # Starting tasks
        impl<$($env_param)?> $crate::AsyncScope<$place> {
            /// Starts a task.
            ///
            /// It counts from here on: the scope is not ready before it has ended. It is polled as
            /// soon as the limit allows; in a scope that is cancelled, or has ended, it is dropped.
            /// Returns at once, whatever the limit: [`ready`](Self::ready) is the back-pressure.
            ///
            /// # Memory ordering
            ///
            /// What happened before the call is visible to the task.
            #[track_caller]
            pub fn spawn<F>(&self, task: F) -> $crate::AsyncTask<$place, F::Output>
            where
                F: ::std::future::Future + $($send)* $env,
                F::Output: $($send)* $env,
            {
                let label = $crate::task_info::Label::at(::std::panic::Location::caller());
                let spawned = self.start(label, task, $crate::settle::Plain);
                $crate::AsyncTask::<$place, _>::new(spawned)
            }

            /// Names the task that is spawned next, for reports and errors.
            pub fn task<'a>(&'a self, name: &'a str) -> $crate::AsyncNamed<'a, Self> {
                $crate::AsyncNamed { scope: self, name }
            }

            /// Starts a task for each future, and returns their handles in the same order.
            #[track_caller]
            pub fn spawn_all<I>(
                &self,
                tasks: I,
            ) -> Vec<$crate::AsyncTask<$place, <I::Item as ::std::future::Future>::Output>>
            where
                I: IntoIterator,
                I::Item: ::std::future::Future + $($send)* $env,
                <I::Item as ::std::future::Future>::Output: $($send)* $env,
            {
                let label = $crate::task_info::Label::at(::std::panic::Location::caller());
                let start = |task| {
                    let spawned = self.start(label.clone(), task, $crate::settle::Plain);
                    $crate::AsyncTask::<$place, _>::new(spawned)
                };
                tasks.into_iter().map(start).collect()
            }
        }

        impl<$($env_param)?> $crate::AsyncNamed<'_, $crate::AsyncScope<$place>> {
            /// Starts a task with this name; see [`AsyncScope::spawn`]($crate::AsyncScope::spawn).
            #[track_caller]
            pub fn spawn<F>(self, task: F) -> $crate::AsyncTask<$place, F::Output>
            where
                F: ::std::future::Future + $($send)* $env,
                F::Output: $($send)* $env,
            {
                let site = ::std::panic::Location::caller();
                let label = $crate::task_info::Label::named(self.name, site);
                let spawned = self.scope.start(label, task, $crate::settle::Plain);
                $crate::AsyncTask::<$place, _>::new(spawned)
            }
        }

        /// # Starting tasks
        impl<$($env_param,)? E: $($send)* $env> $crate::TryAsyncScope<$place, E> {
            /// Starts a task that may fail; see [`AsyncScope::spawn`]($crate::AsyncScope::spawn).
            ///
            /// Its error goes to whoever awaits it, or else to the scope. The policy judges it when
            /// it happens.
            #[track_caller]
            pub fn spawn<F, T>(&self, task: F) -> $crate::TryAsyncTask<$place, T, E>
            where
                F: ::std::future::Future<Output = Result<T, E>> + $($send)* $env,
                T: $($send)* $env,
            {
                let label = $crate::task_info::Label::at(::std::panic::Location::caller());
                let failures = ::std::sync::Arc::clone(self.failures());
                let spawned = self.start(label, task, failures);
                $crate::TryAsyncTask::new($crate::AsyncTask::<$place, _>::new(spawned))
            }

            /// Names the task that is spawned next, for reports and errors.
            pub fn task<'a>(&'a self, name: &'a str) -> $crate::AsyncNamed<'a, Self> {
                $crate::AsyncNamed { scope: self, name }
            }

            /// Starts a task for each future, and returns their handles in the same order.
            #[track_caller]
            pub fn spawn_all<I, T>(&self, tasks: I) -> Vec<$crate::TryAsyncTask<$place, T, E>>
            where
                I: IntoIterator,
                I::Item: ::std::future::Future<Output = Result<T, E>> + $($send)* $env,
                T: $($send)* $env,
            {
                let label = $crate::task_info::Label::at(::std::panic::Location::caller());
                let start = |task| {
                    let failures = ::std::sync::Arc::clone(self.failures());
                    let spawned = self.start(label.clone(), task, failures);
                    $crate::TryAsyncTask::new($crate::AsyncTask::<$place, _>::new(spawned))
                };
                tasks.into_iter().map(start).collect()
            }
        }

        impl<$($env_param,)? E: $($send)* $env>
            $crate::AsyncNamed<'_, $crate::TryAsyncScope<$place, E>>
        {
            /// Starts a task with this name that may fail; see
            /// [`TryAsyncScope::spawn`]($crate::TryAsyncScope::spawn).
            #[track_caller]
            pub fn spawn<F, T>(self, task: F) -> $crate::TryAsyncTask<$place, T, E>
            where
                F: ::std::future::Future<Output = Result<T, E>> + $($send)* $env,
                T: $($send)* $env,
            {
                let site = ::std::panic::Location::caller();
                let label = $crate::task_info::Label::named(self.name, site);
                let failures = ::std::sync::Arc::clone(self.scope.failures());
                let spawned = self.scope.start(label, task, failures);
                $crate::TryAsyncTask::new($crate::AsyncTask::<$place, _>::new(spawned))
            }
        }
    };
}

pub(crate) use surface;
