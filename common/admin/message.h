// Requests and responses as a handler sees them. Plain values.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/http1/message.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aquifer::admin {

struct Request {
  std::string method;
  std::string path;  ///< as sent, without the query
  /// Decoded as forms are; a name without `=` has an empty value.
  std::vector<std::pair<std::string, std::string>> query;
  http1::Fields fields;
  std::string body;

  /// The first parameter of this name.
  [[nodiscard]] std::optional<std::string_view> parameter(std::string_view name) const noexcept;
};

/// Splits a request target (origin form or absolute form) into path and query.
[[nodiscard]] Request make_request(std::string method, std::string_view target,
                                   http1::Fields fields, std::string body);

/// A body that is made while it is sent: of any length, or without an end.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// The next piece; an empty one is the end. `cancel` asks for the end: the client went away, or
  /// the server stops.
  [[nodiscard]] virtual coro::Task<std::string> next(coro::CancelSource* cancel) = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::unique_ptr<BodySource> source;  ///< instead of `body`, if there is one
  http1::Fields fields;  ///< further ones; never Content-Type, Content-Length or Connection

  [[nodiscard]] static Response text(int status, std::string body);
  [[nodiscard]] static Response json(std::string body);
  [[nodiscard]] static Response html(std::string body);
  [[nodiscard]] static Response stream(std::string content_type,
                                       std::unique_ptr<BodySource> source);
};

}  // namespace aquifer::admin
