// The few words that the run view says itself; node names and tooltips come from locales/.

const WORDS = {
  en: {
    waiting: "The run appears here while sampling.",
    step: (step, count) => `step ${step} of ${count}`,
    computed: (share) => `${share} computed`,
    faster: (times) => `${times}× faster`,
    stopped: "stopped",
    kinds: {
      full: "full",
      store: "store",
      moderate: "moderate",
      active: "active",
      picture: "without references",
      skipped: "skipped",
    },
    past: (mode) => `Last run with Jano; this node is ${mode}`,
    modes: { 2: "muted", 4: "bypassed" },
    map: {
      alt: "Map over the picture",
      scale: "error in the picture",
      percent: (share) => `${share < 0.01 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`,
      largest: (share, place) => `at most ${share}, ${place}`,
      none: "below 1 % everywhere",
      places: [
        "top left", "top", "top right", "left", "in the middle", "right", "bottom left", "bottom", "bottom right",
      ],
      levels: { 1: "static", 2: "moderate", 3: "active" },
      left_out: "dark: not computed at this step",
    },
    clip: {
      frame: (frame, count) => `latent frame ${frame} of ${count}`,
      frames: "Latent frames of the clip",
      play: "Play the clip",
      pause: "Pause",
      next: "Next frame",
    },
    strip: {
      steps: "Steps of the run: choose one to see what it did",
      whole: "whole run",
      short: (step, kind) => `step ${step}: ${kind}`,
      moved: (share, step) => `off by ${share} in the picture, measured at step ${step}`,
      seconds: (seconds) => `${seconds} s`,
      cells: {
        full: "computed",
        store: "computed and kept",
        picture: "without references",
        moderate: "moderate and active tokens",
        active: "active tokens",
        skipped: "forecast",
      },
    },
  },
  zh: {
    waiting: "采样时此处显示本次运行。",
    step: (step, count) => `第 ${step} 步，共 ${count} 步`,
    computed: (share) => `已计算 ${share}`,
    faster: (times) => `加速 ${times} 倍`,
    stopped: "已停止",
    kinds: {
      full: "完整",
      store: "完整并缓存",
      moderate: "中等与活跃",
      active: "仅活跃",
      picture: "不含参考图",
      skipped: "跳过",
    },
    past: (mode) => `上次使用 Jano 的运行；此节点已${mode}`,
    modes: { 2: "静音", 4: "绕过" },
    map: {
      alt: "叠加在画面上的图",
      scale: "画面误差",
      percent: (share) => `${share < 0.01 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`,
      largest: (share, place) => `最大 ${share}，位于${place}`,
      none: "各处均低于 1 %",
      places: ["左上", "上方", "右上", "左侧", "中间", "右侧", "左下", "下方", "右下"],
      levels: { 1: "静止", 2: "中等", 3: "活跃" },
      left_out: "变暗：此步未计算",
    },
    clip: {
      frame: (frame, count) => `第 ${frame} 个潜空间帧，共 ${count} 个`,
      frames: "视频的潜空间帧",
      play: "播放",
      pause: "暂停",
      next: "下一帧",
    },
    strip: {
      steps: "本次运行的各步：选一步查看其情况",
      whole: "整次运行",
      short: (step, kind) => `第 ${step} 步：${kind}`,
      moved: (share, step) => `对画面的误差为 ${share}，在第 ${step} 步测得`,
      seconds: (seconds) => `${seconds} 秒`,
      cells: {
        full: "已计算",
        store: "已计算并缓存",
        picture: "不含参考图",
        moderate: "中等与活跃",
        active: "仅活跃",
        skipped: "预测",
      },
    },
  },
};

export function wordsFor(locale) {
  return String(locale ?? "").startsWith("zh") ? WORDS.zh : WORDS.en;
}
