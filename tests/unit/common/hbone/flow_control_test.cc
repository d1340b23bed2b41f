// Window arithmetic, at its edges.
#include "common/hbone/flow_control.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

TEST_CASE("a send window reaches 2^31-1 and not one more (RFC 9113 section 6.9.1)") {
  SendWindow window(0);
  CHECK(window.add(kWindowMax) == SendWindow::Change::opened);
  CHECK(window.add(1) == SendWindow::Change::overflow);
  CHECK(window.size() == kWindowMax);
  window.spend(1);
  CHECK(window.add(1) == SendWindow::Change::unchanged);
}

TEST_CASE(
    "a send window goes below zero when the peer shrinks it, and opens only when it is positive "
    "(section 6.9.2)") {
  SendWindow window(100);
  window.spend(80);
  CHECK(window.add(-60) == SendWindow::Change::unchanged);
  CHECK(window.size() == -40);
  CHECK(window.usable() == 0);
  CHECK(window.add(40) == SendWindow::Change::unchanged);
  CHECK(window.usable() == 0);
  CHECK(window.add(1) == SendWindow::Change::opened);
  CHECK(window.usable() == 1);
}

TEST_CASE("a stream's credit waits until half a window is due") {
  StreamReceiveWindow window(1000);
  REQUIRE(window.spend(600));
  window.keep(600);
  CHECK(window.take_credit() == 0);
  (void)window.drain(499, 0, 1000);
  CHECK(window.take_credit() == 0);
  (void)window.drain(1, 0, 1000);
  CHECK(window.take_credit() == 500);
  CHECK(window.open() == 900);
  CHECK(window.take_credit() == 0);
}

TEST_CASE("a frame larger than what is open is refused and spends nothing") {
  StreamReceiveWindow window(10);
  CHECK_FALSE(window.spend(11));
  CHECK(window.open() == 10);
  CHECK(window.spend(10));
  CHECK_FALSE(window.spend(1));
}

TEST_CASE("a window drained within a second doubles up to its ceiling; a trickle earns nothing") {
  const auto pass = [](StreamReceiveWindow& window, std::uint32_t bytes, std::uint32_t now_ms) {
    REQUIRE(window.spend(bytes));
    window.keep(bytes);
    const bool grew = window.drain(bytes, now_ms, 300);
    (void)window.take_credit();
    return grew;
  };
  StreamReceiveWindow fast(100);
  CHECK_FALSE(pass(fast, 60, 1'000));
  CHECK(pass(fast, 60, 1'900));
  CHECK(fast.target() == 200);
  CHECK(pass(fast, 100, 2'000) == false);
  CHECK(pass(fast, 100, 2'100));
  CHECK(fast.target() == 300);
  CHECK_FALSE(pass(fast, 150, 2'200));
  CHECK_FALSE(pass(fast, 150, 2'300));
  CHECK(fast.target() == 300);

  StreamReceiveWindow trickle(100);
  for (std::uint32_t second = 0; second < 50; ++second)
    CHECK_FALSE(pass(trickle, 60, second * 1'001));
  CHECK(trickle.target() == 100);
}

TEST_CASE(
    "a stream's window moves by the difference when our SETTINGS are acknowledged, below zero if "
    "need be") {
  StreamReceiveWindow window(kDefaultWindow);
  REQUIRE(window.spend(60'000));
  window.rebase(std::int64_t{1000} - kDefaultWindow);
  CHECK(window.open() == 1000 - 60'000);
  CHECK(window.target() == 1000);
  CHECK_FALSE(window.spend(1));
}

TEST_CASE("the connection's credit comes back when bytes enter an inbox, not when they leave it") {
  ConnectionReceiveWindow window(1000, 16'000);
  window.restore(1000, 1000, 0);
  REQUIRE(window.spend(600));
  window.keep(600);
  CHECK(window.take_credit() == 600);
  CHECK(window.open() == 1000);
}

TEST_CASE("open credit and undrained bytes together never pass the limit") {
  ConnectionReceiveWindow window(1000, 3000);
  window.restore(1000, 1000, 0);
  std::uint32_t received = 0;
  while (window.open() > 0) {
    const auto bytes = static_cast<std::uint32_t>(std::min<std::int64_t>(window.open(), 100));
    REQUIRE(window.spend(bytes));
    window.keep(bytes);
    received += bytes;
    (void)window.take_credit();
    CHECK(window.open() + window.undrained() <= 3000);
  }
  CHECK(received > 2000);
  CHECK(window.under_pressure());
  window.drain(window.undrained());
  CHECK_FALSE(window.under_pressure());
  CHECK(window.take_credit() == 1000);
}

}  // namespace
}  // namespace aquifer::hbone
