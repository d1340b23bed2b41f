// Frame headers and SETTINGS as bytes.
#include "common/hbone/frame.h"

#include <doctest/doctest.h>

#include <array>
#include <string_view>

namespace aquifer::hbone {
namespace {

TEST_CASE(
    "a frame header has the layout of RFC 9113 section 4.1, and the reserved bit is dropped") {
  std::array<std::uint8_t, kFrameHeaderBytes> bytes;
  const FrameHeader header{
      .length = 0x010203, .type = FrameType::goaway, .flags = 0x2c, .stream_id = 0x7a0b0c0d};
  encode_frame_header(bytes.data(), header);
  const std::array<std::uint8_t, kFrameHeaderBytes> expected = {1,    2,    3,    7,   0x2c,
                                                                0x7a, 0x0b, 0x0c, 0x0d};
  CHECK(bytes == expected);
  CHECK(decode_frame_header(bytes.data()) == header);
  bytes[5] |= 0x80;
  CHECK(decode_frame_header(bytes.data()).stream_id == 0x7a0b0c0d);
}

TEST_CASE("settings out of their range are refused with the error of RFC 9113 section 6.5.2") {
  struct Row {
    std::uint16_t id;
    std::uint32_t value;
    ErrorCode error;
  };
  constexpr std::array<Row, 17> kRows = {{
      {1, 0, ErrorCode::no_error},
      {1, 0xffffffff, ErrorCode::no_error},
      {2, 0, ErrorCode::no_error},
      {2, 1, ErrorCode::no_error},
      {2, 2, ErrorCode::protocol_error},
      {3, 0, ErrorCode::no_error},
      {4, 0x7fffffff, ErrorCode::no_error},
      {4, 0x80000000, ErrorCode::flow_control_error},
      {5, 16383, ErrorCode::protocol_error},
      {5, 16384, ErrorCode::no_error},
      {5, 16777215, ErrorCode::no_error},
      {5, 16777216, ErrorCode::protocol_error},
      {6, 0, ErrorCode::no_error},
      {7, 77, ErrorCode::no_error},
      {8, 1, ErrorCode::no_error},
      {8, 2, ErrorCode::protocol_error},
      {0xffff, 1, ErrorCode::no_error},
  }};
  for (const Row& row : kRows) {
    CAPTURE(row.id);
    CAPTURE(row.value);
    Settings settings;
    CHECK(apply_setting(settings, row.id, row.value) == row.error);
  }
}

TEST_CASE("settings written are the settings read, and initial values are not written") {
  Settings settings;
  std::array<std::uint8_t, kSettingsBytesMax> bytes;
  CHECK(encode_settings(settings, bytes.data()) == 0);
  settings = {.header_table_size = 0,
              .enable_push = 0,
              .max_concurrent_streams = 200,
              .initial_window_size = 1 << 16,
              .max_frame_size = 1 << 20,
              .max_header_list_size = 1 << 14};
  const std::size_t size = encode_settings(settings, bytes.data());
  CHECK(size == kSettingsBytesMax);
  Settings read;
  for (std::size_t at = 0; at < size; at += 6) {
    CHECK(apply_setting(read, load16(bytes.data() + at), load32(bytes.data() + at + 2)) ==
          ErrorCode::no_error);
  }
  CHECK(read == settings);
}

TEST_CASE("every error code of RFC 9113 section 7 has its name, others have none") {
  CHECK(name_of(ErrorCode::enhance_your_calm) == "ENHANCE_YOUR_CALM");
  for (std::uint32_t code = 0; code <= 0xd; ++code)
    CHECK(name_of(static_cast<ErrorCode>(code)) != "UNKNOWN");
  CHECK(name_of(static_cast<ErrorCode>(0xe)) == "UNKNOWN");
}

}  // namespace
}  // namespace aquifer::hbone
