//! Starting worker pools: the same for every place, but for what a handler and its jobs may hold.

/// Writes the methods that start pools in a place, whose jobs live at least as long as `$env`.
macro_rules! workers_surface {
    (
        impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, $module:literal,
        [$($send:tt)*], [$($sync:tt)*]
    ) => {
        /// # Worker pools
        impl<$($env_param)?> $crate::AsyncScope<$place> {
            /// Starts a pool of `n` workers, which await `handler` for the jobs that are sent to
            /// it, `n` at once; see [`AsyncWorkers`]($crate::AsyncWorkers).
            ///
            /// # Examples
            ///
            /// ```
            /// use futures::StreamExt;
            ///
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let lengths: usize = wg::", $module, "::scope(async |s| {")]
            ///     let pool = s.workers(4, async |word: &str| word.len());
            ///     for word in "a few words to measure".split(' ') {
            ///         pool.send(word).await.unwrap();
            ///     }
            ///     pool.fold(0, async |sum, length| sum + length).await
            /// })
            /// .await;
            /// assert_eq!(lengths, 18);
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// If `n` is 0. A panic of the handler is the scope's.
            #[track_caller]
            pub fn workers<J, R, F, Fut>(
                &self,
                n: usize,
                handler: F,
            ) -> $crate::AsyncWorkers<$place, J, R>
            where
                F: Fn(J) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = R> + $($send)* $env,
                J: $($send)* $env,
                R: $($send)* $env,
            {
                let failures = ::std::sync::Arc::new($crate::failures::Failures::new());
                let handler = move |job| {
                    let handled = handler(job);
                    ::futures_util::FutureExt::map(handled, Ok::<R, ::std::convert::Infallible>)
                };
                self.start_workers(n, &failures, handler)
            }
        }

        /// # Worker pools
        impl<$($env_param,)? E: $($send)* $env> $crate::TryAsyncScope<$place, E> {
            /// As [`AsyncScope::workers`]($crate::AsyncScope::workers), with a handler that may
            /// fail: its errors go to the scope, and the policy judges them.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let failed = wg::", $module, "::try_scope(async |s| {")]
            ///     let pool = s.workers(2, async |text: &str| {
            ///         text.parse::<u8>().map_err(|error| error.to_string())
            ///     });
            ///     for text in ["1", "x", "3"] {
            ///         if pool.send(text).await.is_err() {
            ///             break; // it has failed already
            ///         }
            ///     }
            ///     Ok::<_, String>(())
            /// });
            /// assert_eq!(failed.await.unwrap_err(), "invalid digit found in string");
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// If `n` is 0. A panic of the handler is the scope's.
            #[track_caller]
            pub fn workers<J, R, F, Fut>(
                &self,
                n: usize,
                handler: F,
            ) -> $crate::AsyncWorkers<$place, J, R>
            where
                F: Fn(J) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                J: $($send)* $env,
                R: $($send)* $env,
            {
                self.start_workers(n, self.failures(), handler)
            }
        }
    };
}

pub(crate) use workers_surface;
