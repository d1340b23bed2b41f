#include "common/tls/tls_error.h"

#include "common/tls/openssl.h"

#include <utility>

namespace aquifer::tls {
namespace {

// Long enough for three of OpenSSL's sentences; a log line must not grow with what a peer sends.
constexpr std::size_t kTextBytesMax = 512;

// One per thread, as OpenSSL's own queue is: an Error stays 24 bytes, and only who logs it asks for
// the text.
thread_local std::string last_text;

void append(std::string_view words) {
  if (!last_text.empty()) last_text += ": ";
  last_text += words;
}

}  // namespace

void clear_tls_errors() noexcept {
  ERR_clear_error();
  last_text.clear();
}

Error take_tls_error(Errc code, const char* what) noexcept {
  // What we found out ourselves (see set_tls_error_text) says more than OpenSSL's "certificate
  // verify failed".
  const bool ours = !last_text.empty();
  const char* data = nullptr;
  int flags = 0;
  while (const unsigned long error = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
    if (ours) continue;
    const char* reason = ERR_reason_error_string(error);
    if (reason != nullptr && last_text.find(reason) == std::string::npos) append(reason);
    if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0') append(data);
  }
  if (last_text.size() > kTextBytesMax) last_text.resize(kTextBytesMax);
  return Error(code, what);
}

void set_tls_error_text(std::string text) noexcept {
  last_text = std::move(text);
  if (last_text.size() > kTextBytesMax) last_text.resize(kTextBytesMax);
}

const std::string& last_tls_error_text() noexcept {
  return last_text;
}

}  // namespace aquifer::tls
