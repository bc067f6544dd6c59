//! The verbs of a fan-out: the same for every place, but for what an item may hold.

/// Writes the verbs of fan-outs in a place, whose items live at least as long as `$env`, and are
/// `$send`; what they share is `$sync`, too. The module is for the examples.
macro_rules! verbs {
    (
        impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, $module:literal,
        [$($send:tt)*], [$($sync:tt)*]
    ) => {
        /// # Verbs
        #[expect(private_bounds, reason = "sealed")]
        impl<$($env_param,)? I, W, S> $crate::AsyncFanOut<I, $place, W, S>
        where
            I: Iterator + $($send)* $env,
            I::Item: $($send)* $env,
            W: $crate::futures::Weigh<I::Item> + $($send)* $($sync)* $env,
        {
            /// Awaits `function` once for each item; ready with the results in the order of the
            /// items.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out(1..=4);")]
            /// let squares = fan_out.map(async |n| n * n).await;
            /// assert_eq!(squares, [1, 4, 9, 16]);
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// If an item panics: the others are dropped, and the first panic is resumed. So is a
            /// panic of the iterator. Also if items were lost to a cancel or a deadline, as there
            /// is no result for them: [`try_map`](Self::try_map) returns an error then.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future drops the items and the results, as with a scope's future.
            ///
            /// # Memory ordering
            ///
            /// What happened before the first poll is visible to the function, and what that did
            /// is visible when this is ready.
            pub fn map<R, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Vec<R>> + use<$($env_param,)? I, W, S, R, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = R> + $($send)* $env,
                R: $($send)* $env,
            {
                let function = move |item| ::futures_util::FutureExt::map(function(item), Ok);
                self.mapped(function, None)
            }

            /// Awaits `function` once for each item.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
            ///
            /// static SUM: AtomicU32 = AtomicU32::new(0);
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out([1, 2, 3]);")]
            /// fan_out.for_each(async |n| _ = SUM.fetch_add(n, Relaxed)).await;
            /// assert_eq!(SUM.load(Relaxed), 6);
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// As [`map`](Self::map).
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            pub fn for_each<F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = ()> + use<$($env_param,)? I, W, S, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = ()> + $($send)* $env,
            {
                ::futures_util::FutureExt::map(self.map(function), drop)
            }

            /// Awaits `function` for each item; the first error stops the rest and comes back.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            /// let parse = async |text: &'static str| match text.parse::<u8>() {
            ///     Ok(number) => Ok(number),
            ///     Err(error) => Err(error.to_string()),
            /// };
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out([\"1\", \"2\"]);")]
            /// assert_eq!(fan_out.limit(100).try_map(parse).await, Ok(vec![1, 2]));
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out([\"1\", \"x\"]);")]
            /// let error = fan_out.limit(100).try_map(parse).await.unwrap_err();
            /// assert_eq!(error, "invalid digit found in string");
            /// # });
            /// ```
            ///
            /// # Errors
            ///
            /// The first error by completion; with
            /// [`lowest_index`](crate::Policy::lowest_index), that of the first item that fails. If
            /// items were lost to a cancel or a deadline, [`Stopped`](crate::Stopped) says so.
            ///
            /// # Panics
            ///
            /// If an item panics, as [`map`](Self::map), unless panics are caught: then the error
            /// is [`Stopped`](crate::Stopped), with the panic's words.
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            pub fn try_map<R, E, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Result<Vec<R>, E>>
            + use<$($env_param,)? I, W, S, R, E, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                R: $($send)* $env,
                E: From<$crate::Stopped> + $($send)* $env,
            {
                self.tried(function, None)
            }

            /// As [`try_map`](Self::try_map), without results.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out(1..);")]
            /// let found = async |n| if n == 1000 { Err(format!("{n} is too many")) } else { Ok(()) };
            /// assert_eq!(fan_out.try_for_each(found).await.unwrap_err(), "1000 is too many");
            /// # });
            /// ```
            ///
            /// # Errors
            ///
            /// As [`try_map`](Self::try_map).
            ///
            /// # Panics
            ///
            /// As [`try_map`](Self::try_map).
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            pub fn try_for_each<E, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Result<(), E>>
            + use<$($env_param,)? I, W, S, E, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<(), E>> + $($send)* $env,
                E: From<$crate::Stopped> + $($send)* $env,
            {
                ::futures_util::FutureExt::map(self.tried(function, None), |all| all.map(drop))
            }

            /// Awaits `function` for each item, whatever fails; ready with the results and the
            /// errors, both in the order of the items.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out([\"1\", \"x\", \"3\"]);")]
            /// let parse = async |text: &'static str| text.parse::<u8>();
            /// let (numbers, errors) = fan_out.collect_all(parse).await;
            /// assert_eq!(numbers, [1, 3]);
            /// assert_eq!(errors.first().unwrap().index(), Some(1));
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// If an item panics, as [`map`](Self::map), unless panics are caught: then they are
            /// among the errors, with their payloads. Also, silently, if items were lost to the
            /// cancel of an outer scope.
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            pub fn collect_all<R, E, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = (Vec<R>, $crate::Errors<E>)>
            + use<$($env_param,)? I, W, S, R, E, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                R: $($send)* $env,
                E: $($send)* $env,
            {
                self.all(function)
            }

            /// Awaits `function` for the items until one succeeds; ready with that success. The
            /// others are dropped, those that have begun where they wait.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let mirrors = wg::", $module, "::fan_out([\"down\", \"up\"]);")]
            /// let page = mirrors.first_ok(async |mirror| match mirror {
            ///     "up" => Ok("page"),
            ///     other => Err(other),
            /// });
            /// assert_eq!(page.await.unwrap(), "page");
            /// # });
            /// ```
            ///
            /// # Errors
            ///
            /// All failures, if none succeeds; none at all, if there was no item.
            ///
            /// # Panics
            ///
            /// As [`collect_all`](Self::collect_all).
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            pub fn first_ok<R, E, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Result<R, $crate::Errors<E>>>
            + use<$($env_param,)? I, W, S, R, E, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                R: $($send)* $env,
                E: $($send)* $env,
            {
                ::futures_util::FutureExt::map(self.first(1, function), |successes| {
                    successes.map(|mut successes| successes.swap_remove(0).1)
                })
            }

            /// Awaits `function` for the items until `wanted` succeed; ready with the first so many
            /// successes by completion, each with the index of its item.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out(0..5);")]
            /// let vote = async |n| if n == 1 { Err("no") } else { Ok(n) };
            /// assert_eq!(fan_out.quorum(3, vote).await.unwrap().len(), 3);
            /// # });
            /// ```
            ///
            /// # Errors
            ///
            /// All failures, if fewer succeed.
            ///
            /// # Panics
            ///
            /// If `wanted` is 0, at once. Otherwise as [`collect_all`](Self::collect_all).
            ///
            /// # Cancel safety
            ///
            /// As [`map`](Self::map).
            #[track_caller]
            pub fn quorum<R, E, F, Fut>(
                self,
                wanted: usize,
                function: F,
            ) -> impl ::std::future::Future<Output = Result<Vec<(usize, R)>, $crate::Errors<E>>>
            + use<$($env_param,)? I, W, S, R, E, F, Fut>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                R: $($send)* $env,
                E: $($send)* $env,
            {
                self.first(wanted, function)
            }
        }

        $crate::futures::verbs_more!(
            impl[$($env_param)?] $place, $env, $module, [$($send)*], [$($sync)*]
        );
    };
}

pub(crate) use verbs;
