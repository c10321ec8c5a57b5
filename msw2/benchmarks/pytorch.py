"""Stage 1 in PyTorch's own layers, for comparison, with the maths of PAPER. Needs no TensorFlow.

PyTorch's LSTM has two biases where Keras has one; the second is held at zero, so that the parameters are as many.
"""

import numpy as np
import torch
from torch import nn

from msw2.benchmarks import synthetic
from msw2.config import PAPER, Config

MATHS = {
    name: getattr(PAPER, name)
    for name in ("gates", "likelihood", "encoder_states", "decoding", "position", "sigma")
}


class BVAE(nn.Module):
    """Encoder LSTM, moments, sampling, decoder LSTM, output LSTM.

    Args:
        config: of the maths of PAPER, and of any size.

    Raises:
        ValueError: for another config, which this network does not have.
    """

    def __init__(self, config: Config):
        super().__init__()
        other = [f"{name} {found!r}" for name in MATHS if (found := getattr(config, name)) != MATHS[name]]
        if other:
            raise ValueError(f"the PyTorch network has PAPER's maths, not {', '.join(other)}")
        self.config = config
        hidden, latent = config.bvae_hidden, config.bvae_latent
        self.encoder = nn.LSTM(config.pitches, hidden, batch_first=True)
        self.mean, self.s = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.LSTM(latent, hidden, batch_first=True)
        self.output = nn.LSTM(hidden, config.pitches, batch_first=True)
        for lstm in (self.encoder, self.decoder, self.output):
            nn.init.zeros_(lstm.bias_hh_l0)
            lstm.bias_hh_l0.requires_grad_(False)

    def moments(self, bars):
        """Maps bars [batch, step, pitch] to mean and s, [batch, latent] each."""
        state = self.encoder(bars)[1][0][-1]
        return self.mean(state), self.s(state)

    def decode(self, latent):
        """Maps latent vectors [batch, latent] to bars."""
        repeated = latent[:, None].expand(-1, self.config.unit_steps, -1)
        return self.output(self.decoder(repeated)[0])[0]

    def forward(self, bars):
        """Returns the loss of bars: mean squared error and weighted KL (Eq. 6)."""
        mean, s = self.moments(bars)
        noise = self.config.epsilon_std * torch.randn_like(mean)
        made = self.decode(mean + torch.exp(0.5 * s) * noise)
        kl = -0.5 * torch.mean(1 + s - mean.square() - s.exp())
        return nn.functional.mse_loss(made, bars) + self.config.bvae_kl * kl


def stage1(job: dict):
    """Prepares training; see `worker`. A slice is so many steps.

    The bars lie in memory as float32, ready to be taken; ours come from bits, as they do in training.
    """
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    config = synthetic.config_of(job)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(config.seed)
    model = BVAE(config).to(device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=config.learning_rate, alpha=0.9)
    cells = synthetic.units(config, job["bars"])
    bars = torch.from_numpy(2 * cells.astype(np.float32) - 1).to(device)

    def run(amount):
        for _ in range(amount):
            rows = torch.randint(len(bars), (config.batch_size,), device=device)
            optimizer.zero_grad()
            loss = model(bars[rows])
            loss.backward()
            optimizer.step()
        loss.item()  # a GPU may still be at it
        return amount * config.batch_size, ()

    return run
