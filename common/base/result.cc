#include "common/base/result.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace aquifer {

Error error_from_errno(int sys_errno, const char* what) noexcept {
  Errc code = Errc::io;
  switch (sys_errno) {
    case ECANCELED: code = Errc::cancelled; break;
    case ETIMEDOUT: code = Errc::timed_out; break;
    case ECONNREFUSED: code = Errc::connection_refused; break;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE: code = Errc::connection_reset; break;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTDOWN: code = Errc::unreachable; break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL: code = Errc::exhausted; break;
    default: break;
  }
  return Error(code, what).with_detail(sys_errno);
}

std::string_view name_of(Errc code) noexcept {
  switch (code) {
    case Errc::cancelled: return "cancelled";
    case Errc::timed_out: return "timed_out";
    case Errc::closed: return "closed";
    case Errc::end_of_stream: return "end_of_stream";
    case Errc::connection_refused: return "connection_refused";
    case Errc::connection_reset: return "connection_reset";
    case Errc::unreachable: return "unreachable";
    case Errc::exhausted: return "exhausted";
    case Errc::limit: return "limit";
    case Errc::io: return "io";
    case Errc::protocol: return "protocol";
    case Errc::tls: return "tls";
    case Errc::identity: return "identity";
    case Errc::denied: return "denied";
    case Errc::http_status: return "http_status";
    case Errc::not_found: return "not_found";
    case Errc::invalid: return "invalid";
    case Errc::recursion: return "recursion";
    case Errc::internal: return "internal";
  }
  return "internal";
}

std::string Error::message() const {
  std::string text = context;
  if (text.empty()) text = name_of(code);
  if (detail == 0) return text;
  if (code == Errc::http_status) return fmt::format("{}: http status: {}", text, detail);
  char buffer[128];
  // The GNU variant returns the text, which need not be in the buffer.
  const char* reason = ::strerror_r(detail, buffer, sizeof buffer);
  return fmt::format("{}: {} (os error {})", text, reason, detail);
}

}  // namespace aquifer
