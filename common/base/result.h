// Expected failures as values. An Error is small (16 bytes), trivially copyable and never
// allocates: code, who caused it, whether another try may help, the operating system's errno and
// one static sentence.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace aquifer {

/// What went wrong. The access log and response flags are chosen from this alone.
enum class Errc : std::uint8_t {
  cancelled,      ///< our own side asked for the end (drain, release, scope closing)
  timed_out,      ///< a deadline passed
  closed,         ///< used after its end: a tunnel that left the pool, a socket that was closed
  end_of_stream,  ///< the peer ended where more bytes were promised
  connection_refused,  ///< ECONNREFUSED, or nobody is listening
  connection_reset,    ///< ECONNRESET, EPIPE, RST_STREAM: the peer threw the connection away
  unreachable,         ///< EHOSTUNREACH, ENETUNREACH
  exhausted,           ///< descriptors, ports or memory of the system are used up
  limit,               ///< one of our own named limits was reached
  io,                  ///< any other errno, see Error::sys_errno
  protocol,            ///< the peer broke a protocol rule
  tls,                 ///< handshake or record failure
  identity,            ///< no certificate for an identity, or not the one expected
  denied,              ///< policy said no
  http_status,         ///< an HBONE peer answered other than 200: Error::detail is the status
  not_found,           ///< no such workload, service, endpoint
  invalid,             ///< a value that cannot be meant: an address, a header, a field
  recursion,           ///< a connection to our own ports
  internal,            ///< none of the above; a bug if it is seen
};

/// Who caused it: decides the flag in the log and what the other side is told.
enum class ErrorSource : std::uint8_t { internal, downstream, upstream, config };

/// May the same operation succeed on another try or another endpoint?
enum class Retry : std::uint8_t { no, yes };

struct Error {
  Errc code = Errc::internal;
  ErrorSource source = ErrorSource::internal;
  Retry retry = Retry::no;
  int detail = 0;            ///< errno for io-like codes, HTTP status for http_status, else 0
  const char* context = "";  ///< static string: what was being done

  constexpr Error(Errc c, const char* what = "") noexcept : code(c), context(what) {}
  constexpr Error(Errc c, ErrorSource s, const char* what) noexcept
      : code(c), source(s), context(what) {}

  /// The same error, blamed on `s`.
  [[nodiscard]] constexpr Error from(ErrorSource s) const noexcept {
    Error copy = *this;
    copy.source = s;
    return copy;
  }
  /// The same error with another context; `what` must be a string literal.
  [[nodiscard]] constexpr Error in(const char* what) const noexcept {
    Error copy = *this;
    copy.context = what;
    return copy;
  }
  [[nodiscard]] constexpr Error retryable() const noexcept {
    Error copy = *this;
    copy.retry = Retry::yes;
    return copy;
  }
  [[nodiscard]] constexpr Error with_detail(int d) const noexcept {
    Error copy = *this;
    copy.detail = d;
    return copy;
  }

  /// For people: "connecting: Connection refused (os error 111)". Allocates; not for hot paths.
  [[nodiscard]] std::string message() const;
};

/// Maps an errno (positive) to an Error: ECONNREFUSED -> connection_refused and so on, errno kept
/// in `detail`.
[[nodiscard]] Error error_from_errno(int sys_errno, const char* what) noexcept;

/// Stable lower-case name, for logs and metrics: "connection_refused".
[[nodiscard]] std::string_view name_of(Errc code) noexcept;

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

/// Shorthand for `return std::unexpected(...)`.
[[nodiscard]] inline std::unexpected<Error> fail(Error error) noexcept {
  return std::unexpected(error);
}
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, const char* what = "") noexcept {
  return std::unexpected(Error(code, what));
}

}  // namespace aquifer

#define AQUIFER_CONCAT_(a, b) a##b
#define AQUIFER_CONCAT(a, b) AQUIFER_CONCAT_(a, b)

/// `TRY(auto x, f());` in a plain function: declares x, or returns the error.
#define TRY(declaration, ...)                                       \
  auto AQUIFER_CONCAT(try_, __LINE__) = (__VA_ARGS__);              \
  if (!AQUIFER_CONCAT(try_, __LINE__)) [[unlikely]]                 \
    return std::unexpected(AQUIFER_CONCAT(try_, __LINE__).error()); \
  declaration = std::move(*AQUIFER_CONCAT(try_, __LINE__))

/// `TRY_VOID(f());` for a Status.
#define TRY_VOID(...)                                                                       \
  if (auto AQUIFER_CONCAT(try_, __LINE__) = (__VA_ARGS__); !AQUIFER_CONCAT(try_, __LINE__)) \
      [[unlikely]]                                                                          \
  return std::unexpected(AQUIFER_CONCAT(try_, __LINE__).error())

/// The same in a coroutine that returns Task<Result<...>>: `CO_TRY(auto head, co_await
/// conn.read_head());`
#define CO_TRY(declaration, ...)                                       \
  auto AQUIFER_CONCAT(try_, __LINE__) = (__VA_ARGS__);                 \
  if (!AQUIFER_CONCAT(try_, __LINE__)) [[unlikely]]                    \
    co_return std::unexpected(AQUIFER_CONCAT(try_, __LINE__).error()); \
  declaration = std::move(*AQUIFER_CONCAT(try_, __LINE__))

#define CO_TRY_VOID(...)                                                                    \
  if (auto AQUIFER_CONCAT(try_, __LINE__) = (__VA_ARGS__); !AQUIFER_CONCAT(try_, __LINE__)) \
      [[unlikely]]                                                                          \
  co_return std::unexpected(AQUIFER_CONCAT(try_, __LINE__).error())
