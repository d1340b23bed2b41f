// Trace ids with randomness of our own choosing.
#include "common/hbone/traceparent.h"

#include <doctest/doctest.h>

namespace aquifer::hbone {
namespace {

TEST_CASE("a trace context is random, not sampled, and reads back") {
  std::uint64_t next = 0x0102030405060708;
  const auto context = TraceContext::make([&] { return next++; });
  CHECK(context.to_string() == "00-08070605040302010907060504030201-0a07060504030201-00");
  CHECK(context.trace_id_text() == "08070605040302010907060504030201");
  CHECK(parse_traceparent(context.to_string()) == context);
}

TEST_CASE("an id is never zero, whatever the generator says") {
  int calls = 0;
  const auto context =
      TraceContext::make([&] { return ++calls % 2 == 0 ? std::uint64_t{7} : std::uint64_t{0}; });
  CHECK(parse_traceparent(context.to_string()).has_value());
  CHECK(calls == 6);
}

TEST_CASE("only version 00 in lower case with two ids is accepted") {
  CHECK(parse_traceparent("00-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-01").has_value());
  for (const char* text : {"", "00-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-0",
                           "01-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-00",
                           "00-2031F3736b776da6e51d5b2377bb0347-fe1cae517d978d44-00",
                           "00-2031f3736b776da6e51d5b2377bb034g-fe1cae517d978d44-00",
                           "00-00000000000000000000000000000000-fe1cae517d978d44-00",
                           "00-2031f3736b776da6e51d5b2377bb0347-0000000000000000-00",
                           "00-2031f3736b776da6e51d5b2377bb0347-fe1cae517d978d44-0x",
                           "00-2031f3736b776da6e51d5b2377bb0347_fe1cae517d978d44-00"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_traceparent(text).has_value());
  }
}

}  // namespace
}  // namespace aquifer::hbone
