#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace litestage {

class Model;
struct HeadPreviewTensors;  // src/model/head_preview_tensors.h: ggml tensors, for the graph

/// What pass one of the two-pass head is made of, and how well it was seen to do.
struct HeadPreviewInfo {
  std::string model_hash;
  int rank = 0;             ///< dimensions of the hidden state that the preview looks at
  bool rotated = false;     ///< along learned directions; else all dimensions, in fewer bits
  int proposals = 512;      ///< rows, at least, that pass two computes
  float margin = 0;         ///< the best row must be so far above the proposals' threshold
  long learned_tokens = 0;  ///< hidden states the directions were learned from
  long checked_tokens = 0;  ///< others, on which it was compared with the full head
  long missed = 0;          ///< of these, how many would have got another token
  long full = 0;            ///< of these, for how many the whole head was computed after all
};

/// Pass one of the two-pass head: a cheap preview of all logits proposes rows of the vocabulary,
/// pass two computes those rows' exact logits. What greedy decoding writes is then what the full
/// head would write, at a fraction of the bytes.
///
/// With y = Lᵀh, where WᵀW = LLᵀ, a logit is a row of the orthonormal W L⁻ᵀ times y, so that
/// leaving out directions of y in which hidden states hardly vary changes logits least, on average
/// over all rows. Plain directions of h, or singular vectors of W, do not have that property. The
/// preview keeps the leading ones of E[y yᵀ] and stores its matrix in 4 bits.
class HeadPreview {
 public:
  /// Reads what `litestage head` wrote.
  /// @param hash of the model at hand (model_hash)
  /// @throws UserError when the file is missing, damaged, of another model, or the model's head
  /// lies on a device
  static std::shared_ptr<const HeadPreview> load(const std::filesystem::path& path,
                                                 const Model& model, const std::string& hash);
  ~HeadPreview();
  HeadPreview(const HeadPreview&) = delete;
  HeadPreview& operator=(const HeadPreview&) = delete;

  const HeadPreviewInfo& info() const;
  std::size_t bytes() const;  ///< read for each token
  const HeadPreviewTensors& tensors() const;

 private:
  HeadPreview();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where a model's preview is looked for: beside the model, `NAME.head.gguf`.
std::filesystem::path head_preview_path(const std::filesystem::path& model);

}  // namespace litestage
