// Which handler answers which path. Filled at start, then only read, on the loop of the servers
// that use it.
#pragma once

#include "common/admin/message.h"
#include "common/coro/task.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::admin {

/// What a path may be asked with; 405 otherwise. `get` means GET and HEAD.
enum class Methods : std::uint8_t { any, get, only_get, post };

/// Answers at once.
using Handler = std::function<Response(const Request&)>;
/// Answers after asking others (workers, say). The function must be no coroutine itself if it
/// captures: it calls one.
using AsyncHandler = std::function<coro::Task<Response>(Request)>;

class Router {
 public:
  /// `description` is shown on the index page; without one the path is not listed.
  void add(std::string path, Methods methods, std::string description, Handler handler);
  void add_async(std::string path, Methods methods, std::string description, AsyncHandler handler);
  /// A page at `/` that lists the others.
  void add_index(std::string title);

  /// 404 and 405 are responses too.
  [[nodiscard]] coro::Task<Response> answer(Request request) const;

 private:
  struct Route {
    std::string path;
    Methods methods;
    std::string description;
    AsyncHandler handler;
  };
  [[nodiscard]] const Route* find(std::string_view path) const noexcept;
  [[nodiscard]] std::string index_page(std::string_view title) const;

  std::vector<Route> routes_;
};

}  // namespace aquifer::admin
