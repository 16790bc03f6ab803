#include "model/model_weights.h"

#include <algorithm>
#include <cerrno>
#include <compare>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "litestage/decoder.h"
#include "litestage/error.h"
#include "model/backend.h"
#include "model/panel_product.h"
#include "model/tensor_list.h"
#include "model/weight_panels.h"
#include "model/weight_widening.h"

namespace litestage {
namespace {

constexpr std::size_t GGML_ALIGNMENT = 32;  // of tensors ggml reads in place

/// Places each listed tensor: in the mapping, or in a buffer of a type that suits its role.
class WeightLoader {
 public:
  WeightLoader(const GgufFile& file, const ModelConfig& config, const ModelOptions& options,
               ModelWeights& weights)
      : file_(file),
        config_(config),
        options_(options),
        weights_(weights),
        cpu_types_(cpu_buffer_types(options.repack)) {
    if (options.gpu_layers > 0 || !options.device.empty()) {
      weights.device = find_device(options.device);
      weights.first_device_layer = std::max(0, config.n_layers - options.gpu_layers);
    } else {
      weights.first_device_layer = config.n_layers;
    }
  }

  void load(const TensorList& list) {
    ggml_backend_buffer_type_t plain = ggml_backend_dev_buffer_type(cpu_device());
    const bool can_map = gguf_get_alignment(file_.header()) % GGML_ALIGNMENT == 0 &&
                         gguf_get_data_offset(file_.header()) % GGML_ALIGNMENT == 0;
    // A null buffer type stands for the mapping itself.
    std::map<Place, std::vector<PlacedTensor>> groups;
    for (const ListedTensor& tensor : list.tensors()) {
      const Layout layout = choose(tensor);
      if (tensor.slot == &weights_.output && !is_on_device(tensor)) {
        weights_.head_rows = weights_.mapping->data() + tensor.offset;
        weights_.head_rows_type = tensor.type;
      }
      const bool as_in_file = layout.place == Place{plain, false};
      if (list.head_is_tied() && tensor.slot == &weights_.output && as_in_file) {
        tied_in_place_ = true;  // the head reads the embedding itself
        continue;
      }
      const Place place = as_in_file && can_map ? Place{} : layout.place;
      groups[place].push_back({&tensor, layout.type});
      total_ += tensor.bytes;
    }
    for (const auto& [place, tensors] : groups) {
      if (place.buffer == nullptr)
        map(tensors);
      else
        copy(place, tensors);
    }
    if (tied_in_place_) weights_.output = weights_.token_embedding;
  }

 private:
  bool is_on_device(const ListedTensor& tensor) const {
    const bool in_layer = tensor.layer >= 0;
    // Like llama.cpp, one layer more than there are puts the head on the device, too.
    const bool is_head = !in_layer && tensor.role != TensorRole::embedding;
    return weights_.device != nullptr &&
           (in_layer ? tensor.layer >= weights_.first_device_layer
                     : is_head && options_.gpu_layers > config_.n_layers);
  }

  /// What memory a tensor lies in, and whether in panels there.
  struct Place {
    ggml_backend_buffer_type_t buffer = nullptr;
    bool panels = false;
    auto operator<=>(const Place&) const = default;
  };

  /// How a tensor is held: where, and in which type.
  struct Layout {
    Place place;
    ggml_type type = GGML_TYPE_F32;
  };

  Layout choose(const ListedTensor& tensor) const {
    if (is_on_device(tensor)) return {{ggml_backend_dev_buffer_type(weights_.device)}, tensor.type};
    if (tensor.role != TensorRole::matrix) return {{cpu_types_.back()}, tensor.type};
    if (options_.repack && cpu_prefers_panels() &&
        fits_panels(tensor.type, tensor.shape[0], tensor.shape[1]))
      return {{cpu_types_.back(), true}, tensor.type};
    const Layout layout = matrix_layout(tensor, tensor.type);
    const std::optional<ggml_type> wider = wider_type(tensor.type);
    if (layout.place.buffer != cpu_types_.back() || !wider) return layout;
    // This CPU has no layout of its own for the type. One for a wider type is several times as
    // fast in prompts, which outweighs the bytes.
    const Layout wide = matrix_layout(tensor, *wider);
    return wide.place.buffer != cpu_types_.back() ? wide : layout;
  }

  /// @returns the best layout for a matrix in this type
  Layout matrix_layout(const ListedTensor& tensor, ggml_type type) const {
    const ggml_context_ptr context(
        ggml_init({.mem_size = ggml_tensor_overhead(), .mem_buffer = nullptr, .no_alloc = true}));
    const ggml_tensor* weight =
        ggml_new_tensor_2d(context.get(), type, tensor.shape[0], tensor.shape[1]);
    return {{matrix_buffer_type(cpu_types_, weight)}, type};
  }

  struct PlacedTensor {
    const ListedTensor* listed = nullptr;
    ggml_type type = GGML_TYPE_F32;  ///< in which it is held
  };

  /// Describes a group's tensors in a context of their own.
  ggml_context* describe(const std::vector<PlacedTensor>& group) {
    weights_.contexts.emplace_back(ggml_init({.mem_size = ggml_tensor_overhead() * group.size(),
                                              .mem_buffer = nullptr,
                                              .no_alloc = true}));
    ggml_context* context = weights_.contexts.back().get();
    for (const auto& [listed, type] : group) {
      ggml_tensor* tensor = ggml_new_tensor_2d(context, type, listed->shape[0], listed->shape[1]);
      ggml_set_name(tensor, listed->name.c_str());
      *listed->slot = tensor;
    }
    return context;
  }

  void map(const std::vector<PlacedTensor>& group) {
    describe(group);
    std::size_t largest = 0;
    for (const PlacedTensor& placed : group)
      largest = std::max(largest, placed.listed->bytes);
    weights_.buffers.emplace_back(ggml_backend_dev_buffer_from_host_ptr(
        cpu_device(), weights_.mapping->data(), weights_.mapping->size(), largest));
    ggml_backend_buffer_t buffer = weights_.buffers.back().get();
    ggml_backend_buffer_set_usage(buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (const auto& [listed, type] : group) {
      check_values(*listed);
      if (ggml_backend_tensor_alloc(buffer, *listed->slot,
                                    weights_.mapping->data() + listed->offset) !=
          GGML_STATUS_SUCCESS) {
        file_.fail(fmt::format("tensor {} cannot be placed in memory", listed->name));
      }
      advance(listed->bytes);
    }
  }

  void copy(const Place& place, const std::vector<PlacedTensor>& group) {
    ggml_context* context = describe(group);
    weights_.buffers.push_back(allocate_weights(context, place.buffer));
    if (!weights_.buffers.back()) {
      file_.fail(fmt::format("there is no memory for its weights ({})",
                             ggml_backend_buft_name(place.buffer)),
                 "use a smaller model, or fewer -ngl layers");
    }
    if (place.panels) weights_.panels = weights_.buffers.back().get();
    for (const auto& [listed, type] : group) {
      check_values(*listed);
      const std::span<const std::byte> data{weights_.mapping->data() + listed->offset,
                                            listed->bytes};
      if (place.panels)
        set_panels(*listed, data);
      else if (type == listed->type)
        ggml_backend_tensor_set(*listed->slot, data.data(), 0, data.size());
      else
        set_widened(*listed, data);
      weights_.mapping->forget(listed->offset, listed->bytes);
      advance(listed->bytes);
    }
  }

  static void set_panels(const ListedTensor& tensor, std::span<const std::byte> data) {
    lay_out_panels(tensor.type, data, tensor.shape[0],
                   {static_cast<std::byte*>((*tensor.slot)->data), data.size()},
                   default_thread_count());
  }

  void set_widened(const ListedTensor& tensor, std::span<const std::byte> data) {
    wide_.resize(ggml_nbytes(*tensor.slot));
    widen_q5_0(data, wide_, default_thread_count());
    ggml_backend_tensor_set(*tensor.slot, wide_.data(), 0, wide_.size());
    if (tensor.read != nullptr) *tensor.read += wide_.size() - tensor.bytes;
  }

  void check_values(const ListedTensor& tensor) const {
    if (options_.check_tensors &&
        !ggml_validate_row_data(tensor.type, weights_.mapping->data() + tensor.offset,
                                tensor.bytes)) {
      file_.fail(fmt::format("tensor {} holds NaN or infinity", tensor.name), "get the file again");
    }
  }

  void advance(std::size_t bytes) {
    done_ += bytes;
    if (options_.progress &&
        !options_.progress(static_cast<float>(done_) / static_cast<float>(total_))) {
      file_.fail("loading was stopped");
    }
  }

  const GgufFile& file_;
  const ModelConfig& config_;
  const ModelOptions& options_;
  ModelWeights& weights_;
  std::vector<ggml_backend_buffer_type_t> cpu_types_;
  std::vector<std::byte> wide_;  // of one tensor, before it is laid out
  bool tied_in_place_ = false;
  std::size_t total_ = 0;
  std::size_t done_ = 0;
};

}  // namespace

MappedFile::MappedFile(const GgufFile& file) : size_(file.file_size()) {
  const int descriptor = open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) file.fail(fmt::format("cannot be opened: {}", std::strerror(errno)));
  void* address = mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (address == MAP_FAILED)
    file.fail(fmt::format("cannot be mapped into memory: {}", std::strerror(error)));
  data_ = static_cast<std::byte*>(address);
}

MappedFile::~MappedFile() {
  munmap(data_, size_);
}

void MappedFile::forget(std::size_t offset, std::size_t size) const {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t first = (offset + page - 1) / page * page;
  const std::size_t last = (offset + size) / page * page;
  if (last > first) madvise(data_ + first, last - first, MADV_DONTNEED);
}

std::unique_ptr<ModelWeights> load_weights(const GgufFile& file, const ModelConfig& config,
                                           const ModelOptions& options) {
  auto weights = std::make_unique<ModelWeights>();
  const TensorList list(file, config, *weights);
  for (const ListedTensor& tensor : list.tensors()) {
    // A tied head is listed twice, but stands in the file once.
    if (!(list.head_is_tied() && tensor.slot == &weights->output))
      weights->total_bytes += tensor.bytes;
  }
  weights->mapping = std::make_unique<MappedFile>(file);
  WeightLoader(file, config, options, *weights).load(list);
  return weights;
}

}  // namespace litestage
