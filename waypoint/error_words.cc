#include "waypoint/error_words.h"

namespace aquifer::waypoint {

std::string words_of(const Error& error) {
  if (error.code != Errc::http_status) return error.message();
  switch (error.detail) {
    case 401: return "the destination's policy does not let this waypoint in (401)";
    case 503: return "the application does not take the connection (503)";
    default: return "the destination's proxy answered " + std::to_string(error.detail);
  }
}

}  // namespace aquifer::waypoint
