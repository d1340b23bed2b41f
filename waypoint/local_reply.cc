#include "waypoint/local_reply.h"

#include <string>

namespace aquifer::waypoint {

int grpc_status_of(int http_status) noexcept {
  constexpr int kUnknown = 2;
  constexpr int kPermissionDenied = 7;
  constexpr int kUnimplemented = 12;
  constexpr int kInternal = 13;
  constexpr int kUnavailable = 14;
  constexpr int kUnauthenticated = 16;
  switch (http_status) {
    case 400: return kInternal;
    case 401: return kUnauthenticated;
    case 403: return kPermissionDenied;
    case 404: return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return kUnavailable;
    default: return kUnknown;
  }
}

int http_status_of_grpc(int grpc_status) noexcept {
  switch (grpc_status) {
    case 0: return 200;
    case 1: return 499;   // cancelled
    case 3:               // invalid argument
    case 9:               // failed precondition
    case 11: return 400;  // out of range
    case 4: return 504;   // deadline exceeded
    case 5: return 404;   // not found
    case 6:               // already exists
    case 10: return 409;  // aborted
    case 7: return 403;   // permission denied
    case 8: return 429;   // resource exhausted
    case 12: return 501;  // unimplemented
    case 14: return 503;  // unavailable
    case 16: return 401;  // unauthenticated
    default: return 500;
  }
}

http::ResponseHead head_of(const LocalReply& reply, bool grpc) {
  http::ResponseHead head;
  head.fields = reply.fields;
  if (grpc) {
    head.status = 200;
    head.fields.add("content-type", "application/grpc");
    head.fields.add("grpc-status",
                    std::to_string(reply.grpc_status.value_or(grpc_status_of(reply.status))));
    if (!reply.body.empty()) head.fields.add("grpc-message", encode_grpc_message(reply.body));
    head.content_length = 0;
    return head;
  }
  head.status = reply.status;
  head.content_length = reply.body.size();
  if (!reply.body.empty()) head.fields.add("content-type", "text/plain");
  return head;
}

std::string encode_grpc_message(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      out.push_back(c);
      continue;
    }
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

}  // namespace aquifer::waypoint
