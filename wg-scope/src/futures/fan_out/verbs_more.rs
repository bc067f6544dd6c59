//! The verbs of a fan-out whose results are read while it runs, and of one that grows; and what only
//! a place can say of budgets. The same for every place, but for what an item may hold.

/// Writes them; see [`verbs`](super::verbs::verbs).
macro_rules! verbs_more {
    (
        impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, $module:literal,
        [$($send:tt)*], [$($sync:tt)*]
    ) => {
        impl<$($env_param)?> $crate::futures::Streams for $place {
            type Reader<R> = dyn $crate::futures::Reads<R> + $($send)* $env;
        }

        impl<$($env_param)?> $crate::AsyncScope<$place> {
            /// Starts to describe one function over many items, inside this scope; see
            /// [`AsyncFanOut`]($crate::AsyncFanOut).
            ///
            /// Its verbs `as_completed` and `in_order` run here, as tasks of this scope. The others
            /// run in a scope of their own, which is inside this one where they are awaited in it.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let doubled = wg::", $module, "::scope(async |s| {")]
            ///     s.fan_out([3, 1, 2]).map(async |n| n * 2).await
            /// });
            /// assert_eq!(doubled.await, [6, 2, 4]);
            /// # });
            /// ```
            #[track_caller]
            pub fn fan_out<I: IntoIterator>(
                &self,
                items: I,
            ) -> $crate::AsyncFanOut<
                I::IntoIter,
                $place,
                $crate::Unweighed,
                $crate::AsyncInside<$place>,
            > {
                fan_out(items).inside(self.shared())
            }
        }

        /// # Budgets
        impl<$($env_param,)? I, S> $crate::AsyncFanOut<I, $place, $crate::Unweighed, S>
        where
            I: Iterator,
        {
            /// Limits the weight of the items in flight, whatever their number. They begin in their
            /// order; one that is heavier than the whole budget runs alone.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            /// let files = [("small", 10), ("huge", 10_000), ("medium", 400)];
            #[doc = concat!("let fan_out = wg::", $module, "::fan_out(files).budget(500, |file| file.1);")]
            /// let names = fan_out.map(async |(name, _)| name).await;
            /// assert_eq!(names, ["small", "huge", "medium"]);
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// If `total` is 0.
            #[track_caller]
            pub fn budget<G>(
                self,
                total: u64,
                weight: G,
            ) -> $crate::AsyncFanOut<I, $place, $crate::Weighed<G>, S>
            where
                G: Fn(&I::Item) -> u64 + $($send)* $($sync)* $env,
            {
                self.weighed(total, weight)
            }
        }

        /// # Verbs of a fan-out in a scope
        #[expect(private_bounds, reason = "sealed")]
        impl<$($env_param,)? I, W> $crate::AsyncFanOut<I, $place, W, $crate::AsyncInside<$place>>
        where
            I: Iterator + $($send)* $env,
            I::Item: $($send)* $env,
            W: $crate::futures::Weigh<I::Item> + $($send)* $($sync)* $env,
        {
            /// Awaits `function` for each item, and returns a stream of the results with the indices
            /// of their items, as they are completed, while work goes on.
            ///
            /// An item is pulled only when there is room for its result: at most
            /// [`limit`](Self::limit) items are in the making or wait to be taken, so that a slow
            /// reader slows the work down. (Under a budget without a limit, those that wait to be
            /// taken are not bounded.) It begins at once, and ends by itself: after the last
            /// result, or, where the scope is cancelled, after what is there.
            ///
            /// An item that is handled takes a slot of the scope's own limit; one that waits to be
            /// taken does not. A task that reads in its own scope handles items in its own slot
            /// while it waits, so it may do so at any limit.
            ///
            /// Dropping the stream drops the items that have not begun, and the results that nobody
            /// took; items that have begun go on, and the scope waits for them. Keep it in its
            /// scope: what is dropped later, nobody waits for. Forgetting it leaks what it holds.
            ///
            /// # Examples
            ///
            /// ```
            /// use futures::StreamExt;
            ///
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let lengths = wg::", $module, "::scope(async |s| {")]
            ///     let mut lengths = [0; 3];
            ///     let words = s.fan_out(["one", "two", "three"]).limit(2);
            ///     let mut results = words.as_completed(async |word| word.len());
            ///     while let Some((index, length)) = results.next().await {
            ///         lengths[index] = length; // other items are handled meanwhile
            ///     }
            ///     lengths
            /// });
            /// assert_eq!(lengths.await, [3, 3, 5]);
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// A panic of the function is the scope's; the stream ends.
            ///
            /// # Cancel safety
            ///
            /// A read that is dropped loses no result: it stays for the next.
            ///
            /// # Memory ordering
            ///
            /// What an item's future did is visible to whoever receives its result.
            #[track_caller]
            pub fn as_completed<R, F, Fut>(
                self,
                function: F,
            ) -> $crate::AsyncAsCompleted<$place, R>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = R> + $($send)* $env,
                R: $($send)* $env,
            {
                let order = $crate::futures::Order::AsCompleted;
                let reading = $crate::futures::Reading::new(self, function, order);
                $crate::AsyncAsCompleted::<$place, R>::new(Box::new(reading))
            }

            /// As [`as_completed`](Self::as_completed), in the order of the items: what is completed
            /// early is held back. At most [`limit`](Self::limit) results are in the making or held.
            ///
            /// # Examples
            ///
            /// ```
            /// use futures::StreamExt;
            ///
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let lines = wg::", $module, "::scope(async |s| {")]
            ///     let lines = s.fan_out(0..5).limit(3).in_order(async |n| format!("line {n}"));
            ///     lines.collect::<Vec<_>>().await
            /// });
            /// assert_eq!(lines.await[4], "line 4");
            /// # });
            /// ```
            ///
            /// # Panics
            ///
            /// A panic of the function is the scope's; the stream ends. Where panics are caught, the
            /// next result follows.
            ///
            /// # Cancel safety
            ///
            /// As [`as_completed`](Self::as_completed).
            #[track_caller]
            pub fn in_order<R, F, Fut>(
                self,
                function: F,
            ) -> $crate::AsyncInOrder<$place, R>
            where
                F: Fn(I::Item) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = R> + $($send)* $env,
                R: $($send)* $env,
            {
                let order = $crate::futures::Order::InOrder;
                let reading = $crate::futures::Reading::new(self, function, order);
                $crate::AsyncInOrder::<$place, R>::new(Box::new(reading))
            }
        }

        /// # Fan-outs that grow
        impl<$($env_param,)? I, S> $crate::AsyncFanOut<I, $place, $crate::Unweighed, S>
        where
            I: Iterator + $($send)* $env,
            I::Item: $($send)* $env,
        {
            /// Awaits `function` once for each item, and for each that it adds; ready with all
            /// results: those of the seeds in their order, and mixed with them and after them those
            /// of the items that were added, in the order in which they were.
            ///
            /// Ends when every item has been handled. What was added waits in memory, and comes
            /// before further seeds. A fan-out that grows cannot keep a budget, so one with a budget
            /// does not have this verb.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            /// // A walk of a tree: each node brings its children.
            #[doc = concat!("let visited = wg::", $module, "::fan_out([1]).grow(async |node, more| {")]
            ///     if node < 8 {
            ///         more.extend([2 * node, 2 * node + 1]);
            ///     }
            ///     node
            /// });
            /// assert_eq!(visited.await.len(), 15);
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
            pub fn grow<R, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Vec<R>> + use<$($env_param,)? I, S, R, F, Fut>
            where
                F: Fn(I::Item, $crate::AsyncMore<I::Item>) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = R> + $($send)* $env,
                R: $($send)* $env,
            {
                let (more, added) = $crate::AsyncMore::new();
                let function = move |item| {
                    ::futures_util::FutureExt::map(function(item, more.clone()), Ok)
                };
                self.mapped(function, Some(added))
            }

            /// As [`grow`](Self::grow), with a function that may fail; the first error stops the
            /// rest and comes back.
            ///
            /// # Examples
            ///
            /// ```
            /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            #[doc = concat!("let walk = wg::", $module, "::fan_out([1_u64]).try_grow(async |n, more| {")]
            ///     more.push(n * 2);
            ///     if n > 1000 { Err(format!("{n} is too many")) } else { Ok(()) }
            /// });
            /// assert_eq!(walk.await.unwrap_err(), "1024 is too many");
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
            pub fn try_grow<R, E, F, Fut>(
                self,
                function: F,
            ) -> impl ::std::future::Future<Output = Result<Vec<R>, E>>
            + use<$($env_param,)? I, S, R, E, F, Fut>
            where
                F: Fn(I::Item, $crate::AsyncMore<I::Item>) -> Fut + $($send)* $($sync)* $env,
                Fut: ::std::future::Future<Output = Result<R, E>> + $($send)* $env,
                R: $($send)* $env,
                E: From<$crate::Stopped> + $($send)* $env,
            {
                let (more, added) = $crate::AsyncMore::new();
                self.tried(move |item| function(item, more.clone()), Some(added))
            }
        }
    };
}

pub(crate) use verbs_more;
