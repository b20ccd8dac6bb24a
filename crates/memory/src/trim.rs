//! Memory that was freed goes back to the system.

#![allow(unsafe_code, reason = "asks the C library's allocator")]

/// Gives memory that was freed back to the system, where the allocator would keep it: after work that needed much more
/// memory than what it left behind. It takes some milliseconds. Only glibc keeps it and can be asked.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it may be called at any time from any thread, and touches nothing that is in use.
        unsafe { malloc_trim(0) };
    }
}
