// Asks the admin port of a running proxy: for commands that a person types. Blocking, bounded in
// time and size; what answers may be anything.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace aquifer::admin {

struct Reply {
  int status = 0;
  std::string body;
};

/// Who is asked, and where.
struct Asked {
  std::string_view program;   ///< "ztunnel": what people are told does not answer
  std::string_view base_url;  ///< `http://HOST[:PORT]`
};

/// Where an admin port is when nobody says otherwise.
inline constexpr std::string_view kDefaultUrl = "http://localhost:15000";

/// GET of `path_and_query` (which begins with a slash). The error is one line for people that names
/// the URL and says what to do.
[[nodiscard]] std::expected<Reply, std::string> get(const Asked& asked,
                                                    std::string_view path_and_query);

/// The same for an answer that does not end: `on_line` gets each line of it, without its end, and
/// returns false to stop. Returns when the answer ended or was stopped. A status other than 200 is
/// an error that quotes the body's first line.
[[nodiscard]] std::expected<void, std::string> follow(
    const Asked& asked, std::string_view path_and_query,
    const std::function<bool(std::string_view line)>& on_line);

}  // namespace aquifer::admin
