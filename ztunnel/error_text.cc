#include "ztunnel/error_text.h"

#include <fmt/format.h>

namespace aquifer::ztunnel {

std::string_view reason_of_status(int status) noexcept {
  switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

std::string error_text(const Error& error) {
  switch (error.code) {
    case Errc::http_status: {
      const std::string_view reason = reason_of_status(error.detail);
      return fmt::format("http status: {}{}{}", error.detail, reason.empty() ? "" : " ", reason);
    }
    case Errc::connection_refused:
    case Errc::unreachable:
    case Errc::exhausted:
    case Errc::io: {
      const std::string text = error.in("connection failed").message();
      return text;
    }
    case Errc::connection_reset:
      return error.detail != 0 ? error.in("connection failed").message()
                               : fmt::format("connection failed: {}", error.context);
    case Errc::timed_out:
      return error.context == kTunnelDialTimedOut
                 ? std::string(kTunnelDialTimedOut)
                 : fmt::format("connection failed: {}: deadline has elapsed", error.context);
    case Errc::tls:
    case Errc::identity: return fmt::format("tls error: {}", error.message());
    default: return error.message();
  }
}

telemetry::ResponseFlag response_flag(const Error& error) noexcept {
  if (error.context == kTunnelDialTimedOut) return telemetry::ResponseFlag::network_policy;
  return telemetry::flag_of(error);
}

}  // namespace aquifer::ztunnel
