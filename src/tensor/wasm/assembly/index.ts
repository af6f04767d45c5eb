/** Everything the backend calls. No static data, no allocator: addresses and scratch come from the caller. */
export { placeConstants } from "./math";
export { embedding, embeddingGrad, idsWithin } from "./embedding";
export { rmsNorm, rmsNormGrad } from "./rmsNorm";
export { linear, linearGradInput, linearGradWeight } from "./linear";
export { columnSums } from "./columnSums";
export { loraApply, loraApplyGrad } from "./lora";
export { rope } from "./rope";
export { attention, attentionGrad, longestVisible, visibleWithin } from "./attention";
export { copyRows, copyRowsToF16, unpackVisible } from "./kvCache";
export { gelu, geluGrad, add, fill, swiglu, swigluGrad } from "./pointwise";
export { tokenLogprobs, tokenLogprobsGrad } from "./tokenLogprobs";
export { policyLoss } from "./policyLoss";
export { sumSquares, adamw } from "./adamw";
export { sample } from "./sample";
