#include "common/base/result.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

namespace aquifer {
namespace {

static_assert(sizeof(Error) == 16 && std::is_trivially_copyable_v<Error>,
              "errors travel by value through every layer");

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Errc::invalid, "odd");
  return value / 2;
}

Result<int> quarter(int value) {
  TRY(const int once, half(value));
  TRY(const int twice, half(once));
  return twice;
}

Status check_even(int value) {
  TRY_VOID(half(value));
  return {};
}

Result<std::unique_ptr<int>> boxed(bool good) {
  if (!good) return fail(Errc::not_found, "no box");
  return std::make_unique<int>(7);
}

Result<int> unboxed(bool good) {
  TRY(auto box, boxed(good));
  return *box;
}

TEST_CASE("TRY passes a value on and returns the first error as it was") {
  CHECK(quarter(12).value() == 3);
  CHECK(quarter(6).error().code == Errc::invalid);
  CHECK(std::string_view(quarter(7).error().context) == "odd");
  CHECK(check_even(4).has_value());
  CHECK(check_even(5).error().code == Errc::invalid);
}

TEST_CASE("TRY moves a move-only value out of the result") {
  CHECK(unboxed(true).value() == 7);
  CHECK(unboxed(false).error().code == Errc::not_found);
}

TEST_CASE("an errno becomes the code that the log and the retries are decided from") {
  struct Row {
    int sys_errno;
    Errc code;
  };
  for (const Row row :
       {Row{ECONNREFUSED, Errc::connection_refused}, Row{ECONNRESET, Errc::connection_reset},
        Row{EPIPE, Errc::connection_reset}, Row{EHOSTUNREACH, Errc::unreachable},
        Row{ENETUNREACH, Errc::unreachable}, Row{ETIMEDOUT, Errc::timed_out},
        Row{ECANCELED, Errc::cancelled}, Row{EMFILE, Errc::exhausted},
        Row{EADDRNOTAVAIL, Errc::exhausted}, Row{EBADF, Errc::io}}) {
    CAPTURE(row.sys_errno);
    const Error error = error_from_errno(row.sys_errno, "trying");
    CHECK(error.code == row.code);
    CHECK(error.detail == row.sys_errno);
  }
}

TEST_CASE("a message names what was done, why it failed and the system's number") {
  CHECK(error_from_errno(ECONNREFUSED, "connecting").message() ==
        "connecting: Connection refused (os error 111)");
  CHECK(Error(Errc::http_status, "tunnel").with_detail(503).message() ==
        "tunnel: http status: 503");
  CHECK(Error(Errc::limit).message() == "limit");
}

TEST_CASE("blame, context and retry are changed on a copy") {
  const Error original(Errc::timed_out, "waiting");
  const Error changed = original.from(ErrorSource::upstream).in("dialling").retryable();
  CHECK(original.source == ErrorSource::internal);
  CHECK(original.retry == Retry::no);
  CHECK(changed.source == ErrorSource::upstream);
  CHECK(changed.retry == Retry::yes);
  CHECK(std::string_view(changed.context) == "dialling");
  CHECK(changed.code == Errc::timed_out);
}

TEST_CASE("every code has a name of its own") {
  std::string seen;
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
    const std::string name = "|" + std::string(name_of(static_cast<Errc>(i))) + "|";
    CHECK(seen.find(name) == std::string::npos);
    seen += name;
  }
}

}  // namespace
}  // namespace aquifer
