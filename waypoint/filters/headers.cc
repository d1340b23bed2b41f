#include "waypoint/filters/headers.h"

namespace aquifer::waypoint {

void change_headers(const l7::HeaderChanges& changes, HeaderFields& fields) {
  for (const l7::HeaderChange& change : changes) {
    switch (change.how) {
      case l7::HeaderChange::How::set: fields.set(change.name, change.value); break;
      case l7::HeaderChange::How::add: fields.add(change.name, change.value); break;
      case l7::HeaderChange::How::remove: fields.remove(change.name); break;
    }
  }
}

LocalReply redirect_reply(const l7::Redirect& redirect, const l7::PathMatch& match,
                          const http::RequestHead& request) {
  const std::string_view scheme =
      request.scheme.empty() ? std::string_view("http") : std::string_view(request.scheme);
  LocalReply reply;
  reply.status = redirect.status;
  reply.details = "direct_response";
  reply.fields.add("location",
                   l7::redirect_location(
                       redirect, match,
                       {.scheme = scheme, .authority = request.authority, .path = request.path}));
  return reply;
}

}  // namespace aquifer::waypoint
