/** Everything the backend calls. No static data, no allocator: addresses and scratch come from the caller. */
export { placeConstants } from "./math";
export { linear, linearGradInput, linearGradWeight, loraApply, loraApplyGrad } from "./linear";
export { attention, attentionGrad, longestVisible, visibleWithin } from "./attention";
export { gelu, geluGrad, add, fill, swiglu, swigluGrad, rope } from "./elementwise";
export { rmsNorm, rmsNormGrad, embedding, embeddingGrad, idsWithin, columnSums, copyRows } from "./rows";
export { tokenLogprobs, tokenLogprobsGrad } from "./logprobs";
export { policyLoss, sumSquares, adamw } from "./optimiser";
export { copyRowsToHalves, unpackVisible } from "./cacheHalves";
export { sample } from "./sampler";
