//! Starting tasks whose results come out of an outlet: the same for every place, but for what a task
//! may hold.

/// Writes the methods that start such tasks in a place, whose tasks live at least as long as `$env`.
macro_rules! results_surface {
    (impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, [$($send:tt)*]) => {
        /// # Starting tasks
        impl<$($env_param,)? T: $($send)* $env> $crate::AsyncResults<$place, T> {
            /// Starts a task whose result comes out here, and returns its number: how many were
            /// spawned here before it. Otherwise as [`AsyncScope::spawn`]($crate::AsyncScope::spawn).
            #[track_caller]
            pub fn spawn<F>(&self, task: F) -> usize
            where
                F: ::std::future::Future<Output = T> + $($send)* $env,
            {
                self.at_reader().spawn(task)
            }
        }

        /// # Starting tasks
        impl<$($env_param,)? T: $($send)* $env> $crate::AsyncSpawner<$place, T> {
            /// As [`AsyncResults::spawn`]($crate::AsyncResults::spawn). Where the results are gone,
            /// the task is dropped when its turn comes.
            #[track_caller]
            pub fn spawn<F>(&self, task: F) -> usize
            where
                F: ::std::future::Future<Output = T> + $($send)* $env,
            {
                let task = $crate::futures::Wanted::new(self.outlet(), task);
                self.start(::std::panic::Location::caller(), task, $crate::settle::Plain)
            }
        }

        /// # Starting tasks
        impl<$($env_param,)? T, E> $crate::TryAsyncResults<$place, T, E>
        where
            T: $($send)* $env,
            E: $($send)* $env,
        {
            /// Starts a task that may fail, and whose value comes out here; see
            /// [`AsyncResults::spawn`]($crate::AsyncResults::spawn).
            #[track_caller]
            pub fn spawn<F>(&self, task: F) -> usize
            where
                F: ::std::future::Future<Output = Result<T, E>> + $($send)* $env,
            {
                let task = $crate::futures::Wanted::new(self.at_reader().outlet(), task);
                let failures = ::std::sync::Arc::clone(self.failures());
                self.at_reader().start(::std::panic::Location::caller(), task, failures)
            }
        }

        /// # Starting tasks
        impl<$($env_param,)? T, E> $crate::TryAsyncSpawner<$place, T, E>
        where
            T: $($send)* $env,
            E: $($send)* $env,
        {
            /// As [`TryAsyncResults::spawn`]($crate::TryAsyncResults::spawn). Where the results are
            /// gone, the task is dropped when its turn comes.
            #[track_caller]
            pub fn spawn<F>(&self, task: F) -> usize
            where
                F: ::std::future::Future<Output = Result<T, E>> + $($send)* $env,
            {
                let task = $crate::futures::Wanted::new(self.plain().outlet(), task);
                let failures = ::std::sync::Arc::clone(self.failures());
                self.plain().start(::std::panic::Location::caller(), task, failures)
            }
        }
    };
}

pub(crate) use results_surface;
