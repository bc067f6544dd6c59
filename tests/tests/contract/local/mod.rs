//! What scopes inside the current task promise.

mod life;
