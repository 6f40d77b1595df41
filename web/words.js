// The few words that the run view says itself; node names and tooltips come from locales/.

const WORDS = {
  en: {
    waiting: "The level map appears here while sampling.",
    step: (step, count) => `step ${step} of ${count}`,
    computed: (share) => `${share} computed`,
    faster: (times) => `${times}× faster`,
    stopped: "stopped",
    levels: { 1: "static", 2: "moderate", 3: "active" },
    kinds: {
      full: "full",
      store: "store",
      moderate: "moderate",
      active: "active",
      picture: "without references",
      skipped: "skipped",
    },
    left_out: "dark: not computed at this step",
    frame: (frame, count) => `frame ${frame} of ${count}`,
    steps: "Steps of the run: choose one to see what it computed",
    frames: "Frames of the clip",
    past: (mode) => `Last run with Jano; this node is ${mode}`,
    modes: { 2: "muted", 4: "bypassed" },
  },
  zh: {
    waiting: "采样时此处显示收敛等级图。",
    step: (step, count) => `第 ${step} 步，共 ${count} 步`,
    computed: (share) => `已计算 ${share}`,
    faster: (times) => `加速 ${times} 倍`,
    stopped: "已停止",
    levels: { 1: "静止", 2: "中等", 3: "活跃" },
    kinds: {
      full: "完整",
      store: "完整并缓存",
      moderate: "中等与活跃",
      active: "仅活跃",
      picture: "不含参考图",
      skipped: "跳过",
    },
    left_out: "变暗：此步未计算",
    frame: (frame, count) => `第 ${frame} 帧，共 ${count} 帧`,
    steps: "本次运行的各步：选一步查看其计算区域",
    frames: "视频帧",
    past: (mode) => `上次使用 Jano 的运行；此节点已${mode}`,
    modes: { 2: "静音", 4: "绕过" },
  },
};

export function wordsFor(locale) {
  return String(locale ?? "").startsWith("zh") ? WORDS.zh : WORDS.en;
}
