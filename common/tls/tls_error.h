// What OpenSSL says went wrong, as our Error plus a sentence for people. OpenSSL's error queue
// belongs to the thread and is shared by all of its connections, so it is emptied before and after
// each call.
#pragma once

#include "common/base/result.h"

#include <string>
#include <string_view>

namespace aquifer::tls {

/// Empties this thread's queue and forgets the last text. Before each call into OpenSSL.
void clear_tls_errors() noexcept;

/// Moves OpenSSL's queue into this thread's last text and returns `Error(code, what)`; `what` is a
/// literal.
[[nodiscard]] Error take_tls_error(Errc code, const char* what) noexcept;

/// Sets the last text where we, not OpenSSL, know the reason ("certificate of ... is not one of
/// ...").
void set_tls_error_text(std::string text) noexcept;

/// The reason of the last tls or identity error on this thread: at most 512 bytes, no keys, no
/// payload. Valid until the next call into common/tls; copy it at once, before any co_await.
[[nodiscard]] const std::string& last_tls_error_text() noexcept;

}  // namespace aquifer::tls
