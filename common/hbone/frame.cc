#include "common/hbone/frame.h"

namespace aquifer::hbone {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::no_error: return "NO_ERROR";
    case ErrorCode::protocol_error: return "PROTOCOL_ERROR";
    case ErrorCode::internal_error: return "INTERNAL_ERROR";
    case ErrorCode::flow_control_error: return "FLOW_CONTROL_ERROR";
    case ErrorCode::settings_timeout: return "SETTINGS_TIMEOUT";
    case ErrorCode::stream_closed: return "STREAM_CLOSED";
    case ErrorCode::frame_size_error: return "FRAME_SIZE_ERROR";
    case ErrorCode::refused_stream: return "REFUSED_STREAM";
    case ErrorCode::cancel: return "CANCEL";
    case ErrorCode::compression_error: return "COMPRESSION_ERROR";
    case ErrorCode::connect_error: return "CONNECT_ERROR";
    case ErrorCode::enhance_your_calm: return "ENHANCE_YOUR_CALM";
    case ErrorCode::inadequate_security: return "INADEQUATE_SECURITY";
    case ErrorCode::http_1_1_required: return "HTTP_1_1_REQUIRED";
  }
  return "UNKNOWN";
}

ErrorCode apply_setting(Settings& settings, std::uint16_t id, std::uint32_t value) noexcept {
  switch (static_cast<SettingId>(id)) {
    case SettingId::header_table_size: settings.header_table_size = value; break;
    case SettingId::enable_push:
      if (value > 1) return ErrorCode::protocol_error;
      settings.enable_push = value;
      break;
    case SettingId::max_concurrent_streams: settings.max_concurrent_streams = value; break;
    case SettingId::initial_window_size:
      if (value > kWindowMax) return ErrorCode::flow_control_error;
      settings.initial_window_size = value;
      break;
    case SettingId::max_frame_size:
      if (value < kDefaultMaxFrameSize || value > kMaxFrameSizeLimit)
        return ErrorCode::protocol_error;
      settings.max_frame_size = value;
      break;
    case SettingId::max_header_list_size: settings.max_header_list_size = value; break;
    case SettingId::enable_connect_protocol:
      // RFC 8441 section 3: only the values matter to us, the feature does not.
      if (value > 1) return ErrorCode::protocol_error;
      break;
  }
  return ErrorCode::no_error;
}

std::size_t encode_settings(const Settings& settings, std::uint8_t* at) noexcept {
  const Settings initial;
  std::size_t size = 0;
  const auto put = [&](SettingId id, std::uint32_t value, std::uint32_t initial_value) {
    if (value == initial_value) return;
    store16(at + size, static_cast<std::uint16_t>(id));
    store32(at + size + 2, value);
    size += 6;
  };
  put(SettingId::header_table_size, settings.header_table_size, initial.header_table_size);
  put(SettingId::enable_push, settings.enable_push, initial.enable_push);
  put(SettingId::max_concurrent_streams, settings.max_concurrent_streams,
      initial.max_concurrent_streams);
  put(SettingId::initial_window_size, settings.initial_window_size, initial.initial_window_size);
  put(SettingId::max_frame_size, settings.max_frame_size, initial.max_frame_size);
  put(SettingId::max_header_list_size, settings.max_header_list_size, initial.max_header_list_size);
  return size;
}

}  // namespace aquifer::hbone
